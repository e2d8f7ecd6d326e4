"""Records in the audit what administrators and services did: to what belongs to somebody else, and to the portal."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from jupyterhub import orm

from daas_hub.audit.events import record_administration

_READS = ("GET", "HEAD", "OPTIONS")
#: The hub's API: what it is about, whose it is, and a part of it. Of a path that goes further, only this is recorded.
_ROUTE = re.compile(r".*/api/(users|groups|services|proxy|shutdown)(?:/([^/]+))?(?:/([a-z-]+))?(?:/([^/]*))?.*")
_SERVERS = ("server", "servers")


def note_administration(handler: Any) -> None:
    """Record a request that was answered, if it changed something of somebody else."""
    request = handler.request
    if request.method in _READS or handler.get_status() >= 400:
        return
    actor = getattr(handler, "_jupyterhub_user", None)
    found = _ROUTE.fullmatch(request.path)
    if actor is None or found is None:
        return
    kind, target, part, session = (unquote(one or "") for one in found.groups())
    if kind == "users" and target == actor.name and not isinstance(actor, orm.Service):
        return
    noun = part or kind.removesuffix("s")
    note_action(
        handler,
        f"{request.method} {'server' if part in _SERVERS else noun}",
        target,
        session if part in _SERVERS else "",
    )


def note_action(handler: Any, action: str, target: str = "", session: str = "") -> None:
    """Record what the person or service of a request has done.

    Args:
        target: the user, group or service that it is about; "" for the hub.
    """
    actor = handler._jupyterhub_user
    by = f"service:{actor.name}" if isinstance(actor, orm.Service) else actor.name
    record_administration(action, by, target, session, address=address_of(handler))


def address_of(handler: Any) -> str:
    """Return the address of a request's browser, as far as it can be known."""
    known = getattr(handler.settings.get("authenticator"), "address_of", None)
    return str(known(handler)) if known is not None else ""
