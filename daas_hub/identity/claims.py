"""Accounts from the claims of a login, where the facility's own provider issues them. Nothing is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daas_hub.errors import AccountRefused, SourceUnavailable
from daas_hub.identity.records import Account, Identity
from daas_hub.identity.refusals import unknown
from daas_hub.identity.told import alone, number


@dataclass(frozen=True)
class ClaimNames:
    """Which claim means what; "" for `groups` and `display_name`: none does."""

    name: str = "preferred_username"
    uid: str = "uidNumber"
    gid: str = "gidNumber"
    groups: str = ""
    display_name: str = ""


class ClaimedAccounts:
    """An account source that believes named issuers, for a while after they said it."""

    def __init__(
        self,
        issuers: frozenset[str],
        names: ClaimNames,
        believed_s: float = 900.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuers = issuers
        self._names = names
        self._believed_s = believed_s
        self._clock = clock
        self.claims = frozenset({names.name, names.uid, names.gid, names.groups, names.display_name} - {""})

    async def account_of(self, identity: Identity) -> Account:
        """Return the account this login's claims describe (see `AccountSource`)."""
        if identity.issuer not in self.issuers:
            raise unknown()
        if not -60 <= self._clock() - identity.told_at <= self._believed_s:
            raise SourceUnavailable(
                "What the login provider said of your account is too old.", remedy="Please sign out and in again."
            )
        return account_of_claims(identity.claims, self._names)


def account_of_claims(claims: Mapping[str, Any], names: ClaimNames) -> Account:
    """Return the account that claims describe. Pure.

    Raises:
        AccountRefused: one is missing, or has the wrong type; numbers may be text, or alone in a list.
        NoAccount: the login has none of them.
    """
    if not {names.name, names.uid, names.gid} & set(claims):
        raise unknown()
    name = alone(claims.get(names.name))
    if not isinstance(name, str) or not name.isprintable() or not name:
        raise _refused(names.name, "text")
    shown = claims.get(names.display_name)
    numbered = _groups(claims.get(names.groups) if names.groups else None, names.groups)
    gid = _number(alone(claims.get(names.gid)), names.gid)
    return Account(
        name=name,
        uid=_number(alone(claims.get(names.uid)), names.uid),
        gid=gid,
        groups=tuple(sorted(one for one in numbered if one != gid)),
        group_names={one: label for one, label in numbered.items() if label},
        display_name=shown[:200] if isinstance(shown, str) and shown.isprintable() else "",
        memberships=frozenset(label for label in numbered.values() if label),
    )


def _groups(told: object, claim: str) -> dict[int, str]:
    """Read a list of numbers, or names with their numbers; a provider that knows no group leaves the claim out."""
    if told is None:
        return {}
    if isinstance(told, dict):
        return {_number(gid, claim): str(label) for label, gid in told.items() if str(label).isprintable()}
    if isinstance(told, list):
        return {_number(gid, claim): "" for gid in told}
    raise _refused(claim, "a list of numbers, or names with numbers")


def _number(told: object, claim: str) -> int:
    try:
        return number(told)
    except ValueError:
        raise _refused(claim, "a number") from None


def _refused(claim: str, wanted: str) -> AccountRefused:
    return AccountRefused(
        f"The login provider's claim {claim!r} about you is not {wanted}.", remedy="Please tell the user office."
    )
