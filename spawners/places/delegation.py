"""The calls of the hub that a session's place answers, whatever its backend is.

`tests/spawners/places/test_every_call.py` compares this with the installed JupyterHub: a method that a later release
adds has no rule, and the test fails.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from jupyterhub.spawner import Spawner

from daas_hub.spawners.base import ProposalSessionMixin

#: Methods of JupyterHub's Spawner that are passed on; before a session has a place, the stock ones answer.
DELEGATED = (
    "create_certs",
    "delete_forever",
    "format_string",
    "get_args",
    "get_env",
    "get_url",
    "move_certs",
    "rename",
    "run_post_stop_hook",
    "run_pre_spawn_hook",
    "template_namespace",
)


def _delegated(name: str) -> Callable[..., Any]:
    stock = getattr(Spawner, name)

    @functools.wraps(stock)
    def call(outer: Any, *args: Any, **kwargs: Any) -> Any:
        if outer.inner is None:
            return stock(outer, *args, **kwargs)
        return getattr(outer.inner, name)(*args, **kwargs)

    return call


class DelegatesToPlace(ProposalSessionMixin):
    """Passes calls on to `inner`, the spawner of the session's place."""

    #: None before the session has a place, and if its place is not configured.
    inner: Any = None

    _auth_state: tuple[Any, ...] = ()

    @abstractmethod
    async def start_session(self, plan: Any) -> str:
        """Start the session and return its URL."""

    async def run_auth_state_hook(self, auth_state: Any) -> None:
        """Keep the auth_state until the place is chosen, whose hook gets it (see `hand_over_auth_state`)."""
        self._auth_state = (auth_state,)

    async def hand_over_auth_state(self) -> None:
        """Run the hook of the place with the auth_state of this start."""
        kept, self._auth_state = self._auth_state, ()
        for auth_state in kept:
            await self.inner.run_auth_state_hook(auth_state)

    @property
    def will_resume(self) -> bool:
        """Whether the session keeps its token after a stop."""
        return self.inner is not None and bool(self.inner.will_resume)

    @property
    def stop_wanted(self) -> bool:
        """Whether the session was stopped, and its backend has not confirmed that it ended."""
        return bool(getattr(self.inner, "stop_wanted", False))

    @property
    def stop_notice(self) -> str:
        """What its card says of a stop that is still to be carried out; "" for none."""
        return str(getattr(self.inner, "stop_notice", ""))


for _name in DELEGATED:
    setattr(DelegatesToPlace, _name, _delegated(_name))
