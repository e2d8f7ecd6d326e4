"""Sessions in containers of a Docker engine."""

from __future__ import annotations

from typing import Any

from traitlets import TraitError


def __getattr__(name: str) -> Any:
    """Return the spawner class: the hub loads it here, by its entry point, and then has it checked.

    Raises:
        TraitError: a library of the extra daas-hub[docker] is not installed; the hub ends with this sentence.
    """
    if name == "ProposalDockerSpawner":
        try:
            from daas_hub.spawners.docker.spawner import ProposalDockerSpawner
        except ModuleNotFoundError as missing:
            if missing.name is None or missing.name.partition(".")[0] not in ("aiodocker", "docker", "dockerspawner"):
                raise
            raise TraitError(
                f"ProposalDockerSpawner needs {missing.name}, which is not installed. "
                "Install daas-hub[docker] in the hub's environment."
            ) from missing
        from daas_hub.spawners.startup import check_when_hub_starts

        check_when_hub_starts()
        return ProposalDockerSpawner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
