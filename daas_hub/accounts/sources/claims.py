"""Accounts from the claims of a login, where the facility's own provider issues them. Nothing is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from traitlets import Float, List, Unicode

from daas_hub.accounts.json_values import alone, number
from daas_hub.accounts.model import Account, AccountSource, Identity
from daas_hub.accounts.refusals import unknown
from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.errors import AccountRefused, ErrorKind, SourceUnavailable


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
        claims_max_age_s: float = 900.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuers = issuers
        self._names = names
        self._claims_max_age_s = claims_max_age_s
        self._clock = clock
        self.claims = frozenset({names.name, names.uid, names.gid, names.groups, names.display_name} - {""})

    async def account_of(self, identity: Identity) -> Account:
        """Return the account this login's claims describe (see `AccountSource`)."""
        if identity.issuer not in self.issuers:
            raise unknown()
        if not -60 <= self._clock() - identity.told_at <= self._claims_max_age_s:
            raise SourceUnavailable(
                "What the login provider said of your account is too old.",
                remedy="Please sign out and in again.",
                kind=ErrorKind.STALE_CLAIMS,
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


class ClaimsAccounts(SourceSettings):
    """Accounts that the facility's own login provider describes (`Facility.accounts = "claims"`)."""

    issuers = List(
        Unicode(),
        config=True,
        help="""
        OpenID issuers that are believed. Name only the facility's own: whoever is named here can give anybody any
        number. No default. Example: ["https://keycloak.facility.org/realms/users"].
        """,
    )
    name_claim = Unicode("preferred_username", config=True, help="Claim with the account's name.")
    uid_claim = Unicode("uidNumber", config=True, help="Claim with the user's number.")
    gid_claim = Unicode("gidNumber", config=True, help="Claim with the main group's number.")
    groups_claim = Unicode(
        "",
        config=True,
        help="""
        Claim with further groups: a list of numbers, or names with their numbers. Default: none is read. A login
        without this claim has no further groups. Example: "gids".
        """,
    )
    display_name_claim = Unicode("", config=True, help='Claim with the name shown. Example: "name".')
    claims_max_age_s = Float(
        900.0,
        min=60.0,
        config=True,
        help="""
        Seconds a claim is believed after the provider said it. A hub asks anew about every five minutes somebody uses
        it; while the provider is down, nothing starts after this time.
        """,
    )

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        for setting in ("name_claim", "uid_claim", "gid_claim"):
            if not getattr(self, setting):
                raise self.wrong(setting, "names no claim", "Write the claim's name, as your provider calls it.")
        names = ClaimNames(self.name_claim, self.uid_claim, self.gid_claim, self.groups_claim, self.display_name_claim)
        return ClaimedAccounts(self.require_issuers(self.issuers), names, self.claims_max_age_s)
