"""Whether the directory itself closes an account: disabled, expired or locked there. Pure.

It counts for every login method: a provider may not know it, and a session outlives a login. What is wrong with a
password (expired, to be changed) counts for passwords alone; see `bind_result`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from daas_hub.accounts.refusals import AccountClosed, AccountLocked
from daas_hub.accounts.sources.ldap.entries import Entry, plain_text


class State(StrEnum):
    """Why a directory does not accept an account."""

    DISABLED = "disabled"
    EXPIRED = "expired"
    LOCKED = "locked"
    NOT_YET = "not valid yet"


@dataclass(frozen=True)
class Closed:
    """What a directory's entry says against its account.

    Attributes:
        until: when a lock ends, in seconds since 1970; 0 if it does not end by itself, or if that is unknown.
        lasts: whether an administrator has to act. A lock after wrong passwords does not last: it must not end
            sessions, or anybody could end them by guessing.
    """

    state: State
    attribute: str
    until: float = 0.0
    lasts: bool = True


#: Between 1601, where Active Directory's time begins, and 1970, in seconds.
_FILETIME_EPOCH_S = 11_644_473_600
_FILETIME_NEVER = (0, 2**63 - 1)
_ACCOUNTDISABLE, _LOCKOUT = 0x2, 0x10
#: The year 0: pwdAccountLockedTime of one that an administrator locked (draft-behera-ldap-password-policy, 5.3.3).
_LOCKED_FOR_GOOD = "0000"
_DISABLED_ROLES = ("cn=nsmanageddisabledrole,", "cn=nsdisabledrole,")
_DAY_S = 86_400

_Verdict = Closed | None
_GENERALIZED_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(?:[.,]\d+)?(Z|[+-]\d{4})")


def generalized_time(text: str) -> float:
    """Return a GeneralizedTime (RFC 4517, 3.3.13) in seconds since 1970.

    Raises:
        ValueError: it is not a time.
    """
    match = _GENERALIZED_TIME.fullmatch(text)
    if not match:
        raise ValueError("is not a time")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    zone = match[7]
    offset = 0 if zone == "Z" else int(f"{zone[0]}1") * (int(zone[1:3]) * 60 + int(zone[3:]))
    # 60 is a leap second
    moment = datetime.datetime(max(year, 1), month, day, hour, minute, min(second, 59), tzinfo=datetime.UTC)
    return moment.timestamp() - offset * 60


def _user_account_control(text: str, now: float) -> _Verdict:
    return Closed(State.DISABLED, "userAccountControl") if int(text) & _ACCOUNTDISABLE else None


def _computed_control(text: str, now: float) -> _Verdict:
    return Closed(State.LOCKED, "msDS-User-Account-Control-Computed", lasts=False) if int(text) & _LOCKOUT else None


def _account_expires(text: str, now: float) -> _Verdict:
    is_over = int(text) not in _FILETIME_NEVER and int(text) / 1e7 - _FILETIME_EPOCH_S <= now
    return Closed(State.EXPIRED, "accountExpires") if is_over else None


def _true(attribute: str) -> Callable[[str, float], _Verdict]:
    return lambda text, now: Closed(State.DISABLED, attribute) if text.lower() == "true" else None


def _role(attribute: str) -> Callable[[str, float], _Verdict]:
    return lambda text, now: Closed(State.DISABLED, attribute) if text.lower().startswith(_DISABLED_ROLES) else None


def _ends(attribute: str) -> Callable[[str, float], _Verdict]:
    return lambda text, now: Closed(State.EXPIRED, attribute) if generalized_time(text) <= now else None


def _starts(attribute: str) -> Callable[[str, float], _Verdict]:
    return lambda text, now: Closed(State.NOT_YET, attribute) if generalized_time(text) > now else None


def _locked_time(text: str, now: float) -> _Verdict:
    if text.startswith(_LOCKED_FOR_GOOD):
        return Closed(State.LOCKED, "pwdAccountLockedTime")
    # its end depends on the policy: see `with_duration`
    return Closed(State.LOCKED, "pwdAccountLockedTime", generalized_time(text), lasts=False)


def _unlock_time(text: str, now: float) -> _Verdict:
    until = generalized_time(text)
    if until <= 0:
        return Closed(State.LOCKED, "accountUnlockTime", lasts=False)  # until an administrator unlocks it
    return Closed(State.LOCKED, "accountUnlockTime", until, lasts=False) if until > now else None


def _shadow_expire(text: str, now: float) -> _Verdict:
    day = int(text)
    return Closed(State.EXPIRED, "shadowExpire") if day >= 0 and now // _DAY_S >= day else None


def _samba_flags(text: str, now: float) -> _Verdict:
    return Closed(State.DISABLED, "sambaAcctFlags") if "D" in text else None


def _samba_kickoff(text: str, now: float) -> _Verdict:
    return Closed(State.EXPIRED, "sambaKickoffTime") if 0 < int(text) < 2**31 - 1 and int(text) <= now else None


#: What is read, and how: Active Directory, OpenLDAP's ppolicy, 389 and FreeIPA, shadow, Kerberos, eDirectory, Samba 3.
CHECKS: Mapping[str, Callable[[str, float], _Verdict]] = {
    "userAccountControl": _user_account_control,
    "accountExpires": _account_expires,
    "msDS-User-Account-Control-Computed": _computed_control,
    "pwdAccountLockedTime": _locked_time,
    "pwdStartTime": _starts("pwdStartTime"),
    "pwdEndTime": _ends("pwdEndTime"),
    "nsAccountLock": _true("nsAccountLock"),
    "nsRoleDN": _role("nsRoleDN"),
    "nsRole": _role("nsRole"),
    "accountUnlockTime": _unlock_time,
    "krbPrincipalExpiration": _ends("krbPrincipalExpiration"),
    "shadowExpire": _shadow_expire,
    "loginDisabled": _true("loginDisabled"),
    "loginExpirationTime": _ends("loginExpirationTime"),
    "sambaAcctFlags": _samba_flags,
    "sambaKickoffTime": _samba_kickoff,
}


def closed_by(
    entry: Entry, now: float, *, ignored: frozenset[str] = frozenset(), lockout_s: float = 0.0
) -> Closed | None:
    """Return what an entry says against its account; None if nothing.

    Args:
        now: seconds since 1970.
        ignored: attributes that are not read.
        lockout_s: how long a lock by pwdAccountLockedTime lasts; 0 for until it is removed.

    Raises:
        ValueError: a value cannot be read; the message names the attribute.
    """
    found: list[Closed] = []
    for attribute, check in CHECKS.items():
        if attribute in ignored:
            continue
        for value in entry.values(attribute):
            try:
                verdict = check(plain_text(value), now)
            except ValueError:
                raise ValueError(f"its {attribute} cannot be read") from None
            if verdict is not None and attribute == "pwdAccountLockedTime" and not verdict.lasts:
                verdict = with_duration(verdict, now, lockout_s)
            if verdict is not None:
                found.append(verdict)
    return next((one for one in found if one.lasts), found[0] if found else None)


def with_duration(lock: Closed, now: float, lockout_s: float) -> Closed | None:
    """Return a lock that began at `lock.until` with its end; None if it is over."""
    if not lockout_s:
        return Closed(lock.state, lock.attribute, lasts=False)
    end = lock.until + lockout_s
    return Closed(lock.state, lock.attribute, end, lasts=False) if end > now else None


def refusal_of(closed: Closed, now: float) -> AccountClosed | AccountLocked:
    """Return the error for a person who has proved who they are, by any login method."""
    if closed.lasts:
        return AccountClosed(
            f"Your account is {closed.state} in the facility's directory.",
            remedy="Signing in again does not help. Please contact the user office.",
        )
    minutes = max(1, round((closed.until - now) / 60)) if closed.until else 0
    when = f"for {minutes} more minute{'s' * (minutes != 1)}" if minutes else "at the moment"
    return AccountLocked(
        f"Your account is locked in the facility's directory {when}, after wrong passwords.",
        remedy="Please try again later, or contact the user office. Running sessions continue.",
    )
