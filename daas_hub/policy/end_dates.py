"""End dates: until when guests and courses may use the portal, and the refusal after that."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from traitlets import Dict, Int, List, Unicode

from daas_hub.accounts.json_values import single_item
from daas_hub.accounts.model import Account, Identity
from daas_hub.accounts.refusals import AccessEnded
from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.accounts.validity import End, days_text, earliest, end_text, ends_at, latest, read_end
from daas_hub.errors import AccountRefused

_OFFICE = "Please contact the user office if you need it for longer."


class EndDates(SourceSettings):
    """Until when people may use the portal. A date counts to the end of that day in `Facility.timezone`.

    After it, sign-in and launches are refused with the date, and sessions that run end within
    `UmbrellaAuthenticator.recheck_s`. Ends of single people come from the accounts table (`valid_until`), from the user
    office (`RestAccounts.end_field`), or from `claim`; the earliest that is stated counts.
    """

    claim = Unicode(
        "",
        config=True,
        help="""
        Claim of the login with the end date of the account: a date or time in ISO 8601, or seconds since 1970. A login
        without it has no end date; one that cannot be read is refused. Example: "guest_until". Default: no claim.
        """,
    )
    groups = Dict(
        Unicode(),
        config=True,
        help="""
        Groups, each with the end date of its members; of several groups the latest counts. Names are case-sensitive.
        Example: {"summer-school-2026": "2026-07-10"}. Default: none.
        """,
    )
    exempt_roles = List(
        Unicode(),
        config=True,
        help="""
        Roles for which the ends of `groups` do not count: staff who teach a course are members of its group, too (see
        `RoleRules.role_groups`). Example: ["staff"]. Default: none.
        """,
    )
    required_roles = List(
        Unicode(),
        config=True,
        help="""
        Roles that need an end date: an account with one of them and without an end date is refused. Example:
        ["guest"]. Default: none.
        """,
    )
    warn_days = Int(
        14,
        min=0,
        max=366,
        config=True,
        help="Days before the end from which every page says so. 0 never does. Default: 14.",
    )

    def rules(self, zone: datetime.tzinfo) -> EndRules:
        """Return the rules.

        Raises:
            ConfigurationError: the date of a group cannot be read.
        """
        groups = {}
        for name, text in self.groups.items():
            try:
                groups[name] = read_end(text)
            except ValueError as error:
                message = f"the end of {name!r}, {text!r}, {error}"
                raise self.wrong("groups", message, 'Example: {"summer-school-2026": "2026-07-10"}.') from None
        return EndRules(
            zone,
            claim=self.claim,
            groups=groups,
            exempt_roles=frozenset(self.exempt_roles),
            required_roles=frozenset(self.required_roles),
            warn_days=self.warn_days,
        )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class EndRules:
    """The end dates of a facility."""

    zone: datetime.tzinfo
    claim: str = ""
    groups: Mapping[str, End] = field(default_factory=dict)
    exempt_roles: frozenset[str] = frozenset()
    required_roles: frozenset[str] = frozenset()
    warn_days: int = 14
    clock: Callable[[], datetime.datetime] = _now

    @property
    def claims(self) -> frozenset[str]:
        """The claims that are read."""
        return frozenset({self.claim} - {""})

    def require_current(self, account: Account, identity: Identity | None = None) -> Account:
        """Return the account, with the one end that counts, while it has not ended.

        Args:
            identity: the login; None for an account that nobody signs in with, as a proposal's.

        Raises:
            AccessEnded: with the date.
            AccountRefused: the end cannot be read, or there has to be one.
        """
        ends = [*account.ends, *self._of_claim(identity), *self._of_groups(account)]
        end = earliest(ends, self.zone)
        if end is None and account.roles & self.required_roles:
            role = min(account.roles & self.required_roles)
            raise AccountRefused(
                f"Your account has the role {role} and no end date, which it needs.",
                remedy="Please contact the user office.",
            )
        if end is None:
            return account
        ended = ends_at(end, self.zone)
        if self.clock() >= ended:
            raise AccessEnded(
                f"Your access to this portal ended on {end_text(end, self.zone)}.",
                remedy=_OFFICE,
                ended_at=ended.timestamp(),
            )
        return replace(account, ends=(end,))

    def warning(self, end: End | None) -> str:
        """Return what pages say before the end; "" while it is far away."""
        now = self.clock()
        if end is None or not self.warn_days:
            return ""
        if ends_at(end, self.zone) - now > datetime.timedelta(days=self.warn_days + 1):
            return ""
        days = days_text(end, now, self.zone)
        if days == f"in {self.warn_days + 1} days":
            return ""
        until = "" if isinstance(end, datetime.datetime) else ", at the end of the day"
        return (
            f"Your access to this portal ends {days}: on {end_text(end, self.zone)}{until}. Sessions that run then are"
            f" ended. {_OFFICE}"
        )

    def _of_claim(self, identity: Identity | None) -> list[End]:
        value = single_item(identity.claims.get(self.claim)) if identity is not None and self.claim else None
        if value is None or value == "":
            return []
        try:
            return [read_end(value)]
        except ValueError as error:
            raise AccountRefused(
                f"The claim {self.claim!r} from the login provider {error}.", remedy="Please contact the user office."
            ) from None

    def _of_groups(self, account: Account) -> list[End]:
        if account.roles & self.exempt_roles:
            return []
        end = latest([self.groups[name] for name in account.memberships & set(self.groups)], self.zone)
        return [] if end is None else [end]
