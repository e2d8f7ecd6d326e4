"""What a container engine says its machine has for sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiodocker import DockerError

from daas_hub.admission.backend_capacity import BackendCapacity
from daas_hub.admission.limits import Limits
from daas_hub.spawners.docker.engine import Engine, EngineUnreachable


async def capacity_of_engine(engine: Engine, gpus: Mapping[str, Any]) -> BackendCapacity:
    """Return processors and memory of the engine's machine, and the GPUs that the configuration names.

    Args:
        gpus: `ProposalDockerSpawner.gpus`; without named devices their number is not known.

    Raises:
        EngineUnreachable: the engine does not answer, or with something else.
    """
    try:
        info = await engine.call(lambda docker: docker.system.info())
        cpus, memory = float(info["NCPU"]), float(info["MemTotal"])
    except (DockerError, KeyError, TypeError, ValueError) as problem:
        raise EngineUnreachable from problem
    devices = [kind.get("devices") or () for kind in gpus.values() if isinstance(kind, Mapping)]
    count = sum(map(len, devices)) if all(devices) else None
    limits = Limits(cpus=cpus, memory_bytes=memory, gpus=count)
    return BackendCapacity(limits, f"the engine {info.get('Name') or engine.address.url}", is_machine=True)
