"""Sessions in pods of a Kubernetes cluster."""

from __future__ import annotations

from typing import Any

from traitlets import TraitError


def __getattr__(name: str) -> Any:
    """Return the spawner class: the hub loads it here, by its entry point, and then has it checked.

    Raises:
        TraitError: a library of the extra daas-hub[kubernetes] is not installed; the hub ends with this sentence.
    """
    if name == "ProposalKubeSpawner":
        try:
            from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner
        except ModuleNotFoundError as missing:
            if missing.name is None or missing.name.partition(".")[0] not in ("kubernetes_asyncio", "kubespawner"):
                raise
            raise TraitError(
                f"ProposalKubeSpawner needs {missing.name}, which is not installed. "
                "Install daas-hub[kubernetes] in the hub's environment."
            ) from missing
        from daas_hub.spawners.startup import check_when_hub_starts

        check_when_hub_starts()
        return ProposalKubeSpawner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
