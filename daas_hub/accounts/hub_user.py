"""What a hub user is to the facility: the identity of their login, and the roles that this login does not have."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from daas_hub.accounts.model import Identity
from daas_hub.errors import ConfigurationError


def withheld_roles(user: Any) -> frozenset[str]:
    """Return the roles that the account of a hub user may have, and this login has not.

    The hub's own flag decides on administrators: their role may need a second factor, or run out.
    """
    return frozenset() if getattr(user, "admin", False) is True else frozenset({"admin"})


async def identity_of_user(user: Any, identity_of: Callable[[Any, Any], Any] | None) -> Identity | None:
    """Return the identity of a hub user; None if there is none.

    Args:
        user: the hub's user.
        identity_of: the administrator's function (`Facility.identity_of`); None reads what UmbrellaAuthenticator keeps
            in the user's auth_state.

    Raises:
        ConfigurationError: the function failed, or returned something else than an identity or None.
    """
    state = await user.get_auth_state()
    if identity_of is None:
        return Identity.from_state((state or {}).get("identity"))

    def wrong(message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError("Facility.identity_of", identity_of, message, remedy=remedy)

    try:
        found = identity_of(user, state)
        if isawaitable(found):
            found = await found
    except Exception as error:  # it is the administrator's code: anything can be raised
        # not the error's own text: it may hold a token of the auth_state
        raise wrong(
            f"raised {type(error).__name__} for user {user.name}", "Return an Identity, or None to refuse."
        ) from error
    if found is not None and not isinstance(found, Identity):
        raise wrong(f"returned a {type(found).__name__} for user {user.name}", "Return an Identity, or None to refuse.")
    return found
