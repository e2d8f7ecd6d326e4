"""The account source "claims": the facility's own login provider describes the account; nothing else is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from traitlets import Float, Unicode

from daas_hub.accounts.json_values import as_number, single_item
from daas_hub.accounts.model import Account, AccountFields, AccountSource, Identity
from daas_hub.accounts.refusals import no_account
from daas_hub.accounts.source_settings import HasIssuers
from daas_hub.errors import AccountRefused, ErrorKind, SourceUnavailable


class ClaimsSource:
    """An account source that trusts the claims of named issuers while they are recent."""

    def __init__(
        self,
        issuers: frozenset[str],
        names: AccountFields,
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
            raise no_account()
        if not -60 <= self._clock() - identity.received_at <= self._claims_max_age_s:
            raise SourceUnavailable(
                "The account data from the login provider are out of date.",
                remedy="Please sign out and in again.",
                kind=ErrorKind.STALE_CLAIMS,
            )
        return account_of_claims(identity.claims, self._names)


def account_of_claims(claims: Mapping[str, Any], names: AccountFields) -> Account:
    """Return the account that claims describe. Pure.

    Raises:
        AccountRefused: a claim is missing or has the wrong type. Numbers may be strings, or the only item of a list.
        NoAccount: the login has none of these claims.
    """
    if not {names.name, names.uid, names.gid} & set(claims):
        raise no_account()
    name = _one(claims, names.name)
    if not isinstance(name, str) or not name.isprintable() or not name:
        raise _refused(names.name, "text")
    display_name = claims.get(names.display_name)
    numbered = _groups(claims.get(names.groups) if names.groups else None, names.groups)
    gid = _number(_one(claims, names.gid), names.gid)
    return Account(
        name=name,
        uid=_number(_one(claims, names.uid), names.uid),
        gid=gid,
        groups=tuple(sorted(one for one in numbered if one != gid)),
        group_names={one: label for one, label in numbered.items() if label},
        display_name=display_name[:200] if isinstance(display_name, str) and display_name.isprintable() else "",
        memberships=frozenset(label for label in numbered.values() if label),
    )


def _one(claims: Mapping[str, Any], claim: str) -> object:
    """Return the value of a claim; mappers may send it in a list of its own.

    Raises:
        AccountRefused: it has several; none of them is chosen.
    """
    value = claims.get(claim)
    if isinstance(value, list) and len(value) > 1:
        raise AccountRefused(
            f"The claim {claim!r} from the login provider has {len(value)} values, where one is expected.",
            remedy="Signing in again does not help. Please contact the user office.",
        )
    return single_item(value)


def _groups(value: object, claim: str) -> dict[int, str]:
    """Read a list of gids, or an object of names and gids; a provider omits the claim for a person without groups."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return {_number(gid, claim): str(label) for label, gid in value.items() if str(label).isprintable()}
    if isinstance(value, list):
        return {_number(gid, claim): "" for gid in value}
    raise _refused(claim, "a list of numbers, or an object of names and numbers")


def _number(value: object, claim: str) -> int:
    try:
        return as_number(value)
    except ValueError:
        raise _refused(claim, "a number") from None


def _refused(claim: str, wanted: str) -> AccountRefused:
    return AccountRefused(
        f"The claim {claim!r} from the login provider is not {wanted}.", remedy="Please contact the user office."
    )


class ClaimsAccounts(HasIssuers):
    """Accounts from the claims of the facility's own login provider (`Facility.accounts = "claims"`).

    A provider in `issuers` can give anybody any uid: name only the facility's own.
    """

    name_claim = Unicode("preferred_username", config=True, help="Claim with the account name.")
    uid_claim = Unicode("uidNumber", config=True, help="Claim with the uid.")
    gid_claim = Unicode("gidNumber", config=True, help="Claim with the gid of the primary group.")
    groups_claim = Unicode(
        "",
        config=True,
        help="""
        Claim with the supplementary groups: a list of gids, or an object of names and gids. A login without this claim
        has no supplementary groups. Default: no claim is read. Example: "gids".
        """,
    )
    display_name_claim = Unicode("", config=True, help='Claim with the display name. Default: none. Example: "name".')
    claims_max_age_s = Float(
        900.0,
        min=60.0,
        config=True,
        help="""
        Maximum age of the claims in seconds. The hub refreshes the claims of active users about every five minutes;
        while the provider is down, nothing starts once they are older than this.
        """,
    )

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        for setting in ("name_claim", "uid_claim", "gid_claim"):
            if not getattr(self, setting):
                raise self.wrong(setting, "is empty", "Set it to the name of the claim at your provider.")
        names = AccountFields(
            self.name_claim, self.uid_claim, self.gid_claim, self.display_name_claim, self.groups_claim
        )
        return ClaimsSource(self.require_issuers(self.issuers), names, self.claims_max_age_s)
