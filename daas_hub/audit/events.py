"""One function for each kind of event; none of them raises."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from jupyter_events import EventLogger
from traitlets.config import Config

from daas_hub.audit.log_file import AuditFile
from daas_hub.audit.settings import Audit
from daas_hub.metrics.audit import count_unwritten

BASE = "https://schema.daas-hub.org/audit/"
KINDS = ("login", "launch", "administration", "account-link")
#: Longer texts are cut; each schema has its own limits, which are not below these.
_MAX_CHARS = {"reason": 400, "method": 80, "application": 80, "place": 80, "action": 80, "address": 45, "launch": 8}
_OTHERS_MAX_CHARS = 255

_log = logging.getLogger("jupyterhub.daas")


class _Opened:
    """The audit of this process."""

    logger: EventLogger | None = None
    file: AuditFile | None = None
    addresses = False


def open_audit(config: Config, logger: EventLogger) -> None:
    """Write events from now on, and pass them to what a site has set as `EventLogger.handlers`.

    Args:
        logger: the hub's, which gets our schemas.
    """
    close_audit()
    settings = Audit(config=config)
    for kind in KINDS:
        logger.register_event_schema((files("daas_hub.audit") / "schemas" / f"{kind}.yaml").read_text())
    if settings.enabled:
        _Opened.file = AuditFile(settings.folder(), settings.keep_days)
        _Opened.file.handler.addFilter(_is_ours)
        logger.register_handler(_Opened.file.handler)
        atexit.register(close_audit)
    _Opened.logger, _Opened.addresses = logger, settings.addresses


def close_audit() -> None:
    """Write what waits; nothing is written afterwards."""
    if _Opened.file is not None:
        if _Opened.logger is not None:
            _Opened.logger.remove_handler(_Opened.file.handler)
        _Opened.file.close()
        atexit.unregister(close_audit)
    _Opened.logger, _Opened.file = None, None


def _is_ours(record: logging.LogRecord) -> bool:
    """Return whether an event is of the audit: JupyterHub has its own about servers."""
    event: Any = record.msg
    return isinstance(event, dict) and str(event.get("__schema__", "")).startswith(BASE)


def record_login(
    action: str, method: str, *, user: str = "", account: str = "", reason: str = "", roles: Iterable[str] = (),
    address: str = "",
) -> None:  # fmt: skip
    """Record that somebody signed in, or was refused."""
    _record(
        "login", action=action, method=method, user=user, account=account, reason=reason, roles=sorted(roles),
        address=address,
    )  # fmt: skip


def record_launch(
    action: str, user: str, session: str, *, account: str = "", application: str = "", proposals: Iterable[str] = (),
    place: str = "", launch: str = "", reason: str = "",
) -> None:  # fmt: skip
    """Record what became of a launch, or that a session has ended."""
    _record(
        "launch", action=action, user=user, session=session, account=account, application=application,
        proposals=list(proposals), place=place, launch=launch, reason=reason,
    )  # fmt: skip


def record_administration(action: str, user: str, target: str, session: str = "", *, address: str = "") -> None:
    """Record that somebody changed what belongs to somebody else."""
    _record("administration", action=action, user=user, target=target, session=session, address=address)


def record_account_link(action: str, user: str, account: str, *, issuer: str, subject: str, address: str = "") -> None:
    """Record that a login was connected with an account, or disconnected."""
    _record("account-link", action=action, user=user, account=account, issuer=issuer, subject=subject, address=address)


def _record(kind: str, **fields: Any) -> None:
    if _Opened.logger is None:
        return
    if not _Opened.addresses and "address" in fields:
        fields["address"] = ""
    data = {
        name: value[: _MAX_CHARS.get(name, _OTHERS_MAX_CHARS)] if isinstance(value, str) else value
        for name, value in fields.items()
    }
    try:
        _Opened.logger.emit(schema_id=f"{BASE}{kind}", data=data)
    except Exception:
        # whatever it is: what is audited must go ahead
        count_unwritten()
        _log.exception("an event of the audit was not recorded")
