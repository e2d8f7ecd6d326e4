"""KubeSpawner for its settings alone: what it does is replaced, and listed here.

Its constructor reads one configuration of the library's for the whole process, and its `poll`, watches and state lose
sessions while an API server is away (docs/explanations/decisions/0025-subclass-of-kubespawner.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyterhub.spawner import Spawner
from kubespawner import KubeSpawner

if TYPE_CHECKING:
    from jupyterhub.spawner import Spawner as _Base
else:
    _Base = KubeSpawner


class StockKubeSpawner(_Base):
    """KubeSpawner without what it does: methods of JupyterHub's own Spawner, where they have any."""

    def __init__(self, **kwargs: Any) -> None:
        # not KubeSpawner's: it expands templates, and shares one client among all
        Spawner.__init__(self, **kwargs)

    def get_state(self) -> dict[str, Any]:
        """Return the state that JupyterHub's Spawner keeps: no namespace, which is the configuration's."""
        state: dict[str, Any] = Spawner.get_state(self)
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Load the state of JupyterHub's Spawner."""
        Spawner.load_state(self, state)

    def clear_state(self) -> None:
        """Clear the state of JupyterHub's Spawner."""
        Spawner.clear_state(self)

    def get_env(self) -> dict[str, str]:
        """Return the environment of JupyterHub's Spawner."""
        env: dict[str, str] = Spawner.get_env(self)
        return env

    def _apply_overrides(self, spawner_override: dict[str, Any]) -> None:
        # KubeSpawner's logs the values, which may be secrets
        Spawner._apply_overrides(self, spawner_override)

    async def load_user_options(self) -> None:
        """Do nothing: there are no profiles."""

    async def delete_forever(self) -> None:
        """Do nothing: no claim is deleted with a user or a session."""
