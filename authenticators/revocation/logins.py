"""Ends a user's logins in the hub, and their sessions: cookies and tokens in browsers become invalid."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from jupyterhub import orm
from sqlalchemy.exc import SQLAlchemyError

from daas_hub.accounts import Identity
from daas_hub.authenticators.login_methods import method_name
from daas_hub.authenticators.revocation.unconfirmed_ends import UNCONFIRMED_ENDS
from daas_hub.portal.login_record import LoginRecord

#: Seconds after which the end of a session that is being stopped is not confirmed.
STOP_TIMEOUT_S = 30.0

_log = logging.getLogger("jupyterhub.daas")


def ended_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a login that was ended: the identity, to recheck running sessions, and no token."""
    identity = Identity.from_state(state.get("identity")) or Identity.from_state(state.get("ended"))
    if identity is None:
        return {}
    kept = identity.as_state()
    kept.pop("access_token", None)
    return {"method": method_name(state), "ended": kept}


async def end_logins(user: Any) -> None:
    """End every login of this user: all browsers, the servers' tokens for browsers, and what a refresh needs.

    Running sessions continue; a browser that shows one has to sign in again as soon as its server asks the hub.
    """
    state = await user.get_auth_state() or {}
    await user.save_auth_state(ended_state(state) or None)
    db, row = user.db, user.orm_user
    # every browser's cookie contains it
    row.cookie_id = orm.new_token()
    LoginRecord(db).end_all(row.id)
    for token in db.query(orm.APIToken).filter_by(user_id=row.id):
        # tokens given to a browser; a session's own token is kept
        if token.session_id:
            db.delete(token)
    for code in db.query(orm.OAuthCode).filter_by(user_id=row.id):
        db.delete(code)
    db.commit()
    # the next request, with whatever token, is checked again
    user._auth_refreshed = None


def revoke_tokens(user: Any) -> int:
    """Revoke the tokens that a person requested, and those of their logins; return how many there were.

    The tokens of running sessions are kept: without them a session could not ask who opens it.
    """
    db = user.db
    own = {spawner.api_token for spawner in user.spawners.values() if spawner.active}
    kept = {row.id for row in (orm.APIToken.find(db, token) for token in own if token) if row is not None}
    revoked = [row for row in db.query(orm.APIToken).filter_by(user_id=user.orm_user.id) if row.id not in kept]
    for row in revoked:
        db.delete(row)
    db.commit()
    return len(revoked)


def sessions_of(user: Any) -> list[str]:
    """Return the names of a user's running sessions, except those that are starting or stopping."""
    return [name for name, spawner in user.spawners.items() if spawner.active and not spawner.pending]


async def stop_sessions(proxy: Any, user: Any, names: Iterable[str], *, why: str = "") -> list[str]:
    """Stop sessions as the hub does, out of the proxy first; return those whose end is not confirmed.

    The way to such a session is closed all the same, it is counted in `daas_unconfirmed_ends`, and the reconciler stops
    it as soon as its backend answers.

    Args:
        why: what their cards say; "" for nothing.
    """
    wanted = [name for name in names if user.spawners[name].active and not user.spawners[name].pending]
    ended = await asyncio.gather(*(_is_stopped(proxy, user, name, why) for name in wanted))
    return [name for name, is_ended in zip(wanted, ended, strict=True) if not is_ended]


async def _is_stopped(proxy: Any, user: Any, name: str, why: str) -> bool:
    """Stop a session; return whether its end is confirmed."""
    spawner = user.spawners[name]
    if why and hasattr(spawner, "ending"):
        spawner.ending = why
    try:
        await proxy.delete_user(user, name)
    except Exception:
        # the session itself asks the hub who may use it, and ends when it is stopped
        _log.exception("%s:%s: its route is still there", user.name, name)
    _note_end(user, spawner, why)
    stopping = asyncio.ensure_future(user.stop(name))
    await asyncio.wait({stopping}, timeout=STOP_TIMEOUT_S)
    if stopping.done() and (problem := stopping.exception()):
        _log.error("%s:%s was not stopped: %s", user.name, name, problem)
    elif stopping.done() and not getattr(spawner, "stop_wanted", False):
        return True
    UNCONFIRMED_ENDS.add(f"{user.name}:{name}", spawner, stopping)
    return False


def _note_end(user: Any, spawner: Any, why: str) -> None:
    """Revoke what browsers have for a session, and store why it ends: JupyterHub does both after a stop that succeeds.

    A connection that is open when the route is closed stays open: the session closes it within half a minute, when the
    hub no longer accepts its login.
    """
    try:
        for token in user.db.query(orm.APIToken).filter_by(client_id=spawner.oauth_client_id):
            user.db.delete(token)
        if why and hasattr(spawner, "ending"):
            spawner.orm_spawner.state = spawner.get_state()
        user.db.commit()
    except SQLAlchemyError as problem:
        # the session is stopped all the same
        user.db.rollback()
        _log.error("%s: why it ends could not be stored: %s", spawner._log_name, type(problem).__name__)


def revoke_permissions(user: Any) -> None:
    """Remove admin flag, roles and groups from a user who was blocked, as the hub does when it starts.

    Without them their tokens give no access. The next login that is admitted assigns the default roles again.
    """
    row = user.orm_user
    row.admin = False
    row.roles = []
    row.groups = []
    user.db.commit()
