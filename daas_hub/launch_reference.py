"""The reference of a launch: one short id in the hub's log lines, in the session, and on the page of a failed start.

A request opens a slot, and a launch fills it: lines that JupyterHub itself logs while it waits for the launch have the
id, too, although the launch runs in a task of its own. Tasks that a launch begins keep it, such as those that poll its
session; a task that many launches share is begun without (`asyncio.create_task(..., context=Context())`).
"""

from __future__ import annotations

import secrets
from contextvars import ContextVar

#: The environment variable of a session with its reference.
VARIABLE = "DAAS_LAUNCH"
#: Reasons (`DaasError.reason`) of refusals that need no administrator: their pages show no reference.
FOR_USERS_ALONE = ("maintenance", "quota", "refused", "request")


class Slot:
    """Where the lines of one request find the reference of the launch in it; "" for none."""

    reference = ""


_slot: ContextVar[Slot | None] = ContextVar("daas_launch", default=None)


def new_reference() -> str:
    """Return a new reference: eight hexadecimal digits, which can be read out on the telephone."""
    return secrets.token_hex(4)


def open_slot() -> None:
    """Let the log lines of this task, and of what it begins, have the reference of a launch that is begun from it."""
    _slot.set(Slot())


def fill_slot(reference: str) -> None:
    """Let the log lines of this task and its request have this reference."""
    slot = _slot.get()
    if slot is None:
        slot = Slot()
        _slot.set(slot)
    slot.reference = reference


def current_reference() -> str:
    """Return the reference of the launch in progress here; "" for none."""
    slot = _slot.get()
    return slot.reference if slot is not None else ""
