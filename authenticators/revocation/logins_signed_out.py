"""A provider reports that a user signed out there: whose logins end (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyterhub import orm

from daas_hub.accounts import Identity
from daas_hub.authenticators.oidc.logout_tokens import SignedOut
from daas_hub.authenticators.oidc.method import OIDCMethod


def is_meant(method: OIDCMethod, who: SignedOut, state: Mapping[str, Any]) -> bool:
    """Return whether a login is one that a logout token names: by its subject, or by its session at the provider."""
    if not method.knows(state):
        return False
    if who.subject:
        return bool(state.get("sub") == who.subject)
    return bool(who.session and state.get("sid") == who.session)


def candidates(app: Any, method: OIDCMethod, who: SignedOut, *, opaque_names: bool) -> list[Any]:
    """Return the hub's users who may be meant: one, if its name derives from the subject; else all with a login."""
    rows = app.db.query(orm.User).filter(orm.User.encrypted_auth_state.isnot(None))
    if opaque_names and who.subject and method.settings.subject_claims == ("sub",):
        rows = rows.filter(orm.User.name == Identity(who.issuer, who.subject).hub_name)
    return [app.users[row] for row in rows]


async def users_meant(users: Iterable[Any], method: OIDCMethod, who: SignedOut) -> list[Any]:
    """Return those whose login the token names."""
    return [user for user in users if is_meant(method, who, await user.get_auth_state() or {})]
