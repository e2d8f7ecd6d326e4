"""What the machine of the hub has for sandboxes."""

from __future__ import annotations

import os

from daas_hub.admission.backend_capacity import BackendCapacity
from daas_hub.admission.limits import Limits


def capacity_of_this_machine() -> BackendCapacity:
    """Return its processors, those that the hub may use, and its memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = Limits(cpus=float(len(os.sched_getaffinity(0))), memory_bytes=float(memory), gpus=0)
    return BackendCapacity(limits, "this machine", is_machine=True)
