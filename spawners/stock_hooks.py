"""JupyterHub's hooks of a session: an administrator's function that fails is a sentence, with its reason in the log."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyterhub.spawner import SpawnException
from jupyterhub.utils import maybe_future
from tornado.web import HTTPError
from traitlets import HasTraits

from daas_hub.errors import ConfigurationError, DaasError

if TYPE_CHECKING:
    from jupyterhub.spawner import Spawner as _Base
else:
    # jupyterhub refuses a Spawner class without poll and stop, which are the backend's
    _Base = HasTraits


class StockHooksMixin(_Base):
    """Hooks of JupyterHub's Spawner, which else end in an error page."""

    async def run_auth_state_hook(self, auth_state: Any) -> None:
        """Run `auth_state_hook`.

        Raises:
            SpawnException: it failed, or refused the start.
        """
        with self._of_hook("auth_state_hook"):
            await super().run_auth_state_hook(auth_state)

    async def run_pre_spawn_hook(self) -> None:
        """Run `pre_spawn_hook`.

        Raises:
            SpawnException: it failed, or refused the start.
        """
        with self._of_hook("pre_spawn_hook"):
            await maybe_future(super().run_pre_spawn_hook())

    async def run_post_stop_hook(self) -> None:
        """Run `post_stop_hook`; the session has ended, whatever becomes of it."""
        try:
            await maybe_future(super().run_post_stop_hook())
        except Exception:
            self.log.exception("%s: post_stop_hook failed", self._log_name)

    @contextmanager
    def _of_hook(self, name: str) -> Iterator[None]:
        """Turn an exception of a hook into the failure of the start; one with a message for the person stays."""
        try:
            yield
        except DaasError as refusal:
            raise self._keep_failure(refusal, 403 if refusal.for_user else 500) from refusal
        except (HTTPError, SpawnException):
            raise
        except Exception as error:
            if hasattr(error, "jupyterhub_message"):
                raise
            self.log.exception("%s: %s failed", self._log_name, name)
            problem = ConfigurationError(
                f"Spawner.{name}", "(set)", f"failed: {type(error).__name__}", remedy="Correct it."
            )
            raise self._keep_failure(problem, 500) from error

    @abstractmethod
    def _keep_failure(self, problem: DaasError, status: int) -> SpawnException:
        """Keep why the start failed, and return what JupyterHub reports."""
