"""Whether the hub has stored already what a verified login says: then JupyterHub need not encrypt and commit it again.

JupyterHub's `auth_to_user` stores a refreshed login whole at every launch, its encrypted `auth_state` included. What it
would check on the way (the administrator's flag, the default roles, the groups) is compared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_stored(authenticator: Any, user: Any, model: Mapping[str, Any]) -> bool:
    """Return whether `auth_to_user` would change nothing with this model of a refreshed login.

    Args:
        user: the hub's user, whose `auth_state` is stored.
        model: without `auth_state`.
    """
    if authenticator.manage_roles or authenticator.reconcile_auth_state_hook:
        return False
    roles = {role.name for role in user.roles}
    is_admin = bool(model["admin"])
    return (
        user.admin is is_admin
        and ("admin" in roles) is is_admin
        and "user" in roles
        and user.user_info == model["user_info"]
        and (not authenticator.manage_groups or {group.name for group in user.groups} == set(model["groups"]))
    )
