"""Elevated roles at sign-in: what a login proves, whether that is enough, and the end of logins that are too old."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from jupyterhub import roles as hub_roles

from daas_hub.accounts.elevation import Elevation, ElevationRules, Proof, client_address, elevate, proof_of
from daas_hub.authenticators.login_methods import Login, LoginMethod
from daas_hub.authenticators.oidc.method import OIDCMethod

#: The message for administrators who have to sign in again.
OVER = "Administrator sign-ins expire after a while. Please sign in again. Your sessions keep running."

_log = logging.getLogger("jupyterhub.daas")


class Elevated:
    """Decides about elevated roles by the facility's rules, and logs each change once.

    Args:
        rules: returns the rules.
        trusted: returns the addresses of trusted proxies.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        rules: Callable[[], ElevationRules],
        trusted: Callable[[], Iterable[str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._trusted = trusted
        self._clock = clock
        self._logged: dict[str, tuple[str, ...]] = {}

    def proof_of(self, login: Login, handler: Any) -> Proof:
        """Return the proof of a login that was just made in this handler."""
        return proof_of(login.proven, self.address_of(handler), self._clock())

    def address_of(self, handler: Any) -> str:
        """Return the address a request came from; "" if that cannot be known."""
        request = handler.request
        context = getattr(request.connection, "context", None)
        # `remote_ip` trusts X-Real-IP, which any client can send: the connection's peer address counts
        peer = str(getattr(context, "_orig_remote_ip", "") or "")
        return client_address(peer, request.headers.get_list("X-Forwarded-For"), frozenset(self._trusted()))

    def decide(self, name: str, roles: frozenset[str], proof: Proof) -> Elevation:
        """Decide about the roles of this login."""
        found = elevate(self._rules(), roles, proof, self._clock())
        if self._logged.get(name, ()) != found.missing:
            if found.missing:
                self._logged[name] = found.missing
                _log.warning("login %s has no elevated role: %s is missing", name, " and ".join(found.missing))
            else:
                del self._logged[name]
                _log.info("login %s has its elevated role again", name)
        return found

    def has_run_out(self, user: Any, proof: Proof) -> bool:
        """Return whether an administrator's login is too old, without asking the provider."""
        is_admin = getattr(user, "admin", False) is True
        return is_admin and elevate(self._rules(), frozenset({"admin"}), proof, self._clock()).over

    def withheld(self, found: Elevation, method: LoginMethod) -> dict[str, Any]:
        """Return what pages show to a user whose role is withheld."""
        if not found.missing:
            return {}
        url = f"{method.handlers()[0][0]}?step_up=1" if found.again and isinstance(method, OIDCMethod) else ""
        return {"withheld": list(found.missing), "step_up": url}


def take_admin(user: Any) -> None:
    """Remove the hub's admin flag and role from a user immediately: their tokens lose these permissions as well."""
    user.admin = False
    hub_roles.assign_default_roles(user.db, entity=user.orm_user)
    user.db.commit()
