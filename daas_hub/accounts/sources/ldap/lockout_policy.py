"""How many wrong passwords lock an account in the directory, as far as the portal's bind may read it.

Active Directory keeps it in the domain's entry, OpenLDAP in entries of the class pwdPolicy, 389 in its configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daas_hub.accounts.sources.ldap.connection import Search, ServerRefused
from daas_hub.accounts.sources.ldap.entries import Entry, domain_of, plain_text
from daas_hub.accounts.sources.ldap.servers import Ask

#: supportedCapabilities of Active Directory ([MS-ADTS] 3.1.1.3.4.3).
_ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"
_MAX_POLICIES = 100


@dataclass(frozen=True)
class LockoutPolicy:
    """What was read.

    Attributes:
        failures: the lowest number of wrong passwords that locks an account; 0 if none does.
        window_s: how long a wrong password counts; 0 for until a correct one.
        source: where it was read; "" if nothing could be read.
    """

    failures: int = 0
    window_s: float = 0.0
    source: str = ""
    is_active_directory: bool = False


def lockout_policy(ask: Ask, bases: Sequence[str]) -> LockoutPolicy:
    """Return the strictest policy of the directory that can be read."""
    root = _readable(ask, Search("", "", ("supportedCapabilities",), 1))
    is_ad = bool(root) and _ACTIVE_DIRECTORY in map(plain_text, root[0].values("supportedCapabilities"))
    if is_ad:
        return _of_domain(ask, bases)
    wanted = ("passwordLockout", "passwordMaxFailure", "passwordResetFailureCount")
    config = _readable(ask, Search("cn=config", "", wanted, 1))
    if config and config[0].values("passwordMaxFailure"):
        is_on = plain_text((*config[0].values("passwordLockout"), b"")[0]).lower() == "on"
        failures = _number(config[0], "passwordMaxFailure") if is_on else 0
        return LockoutPolicy(failures, _number(config[0], "passwordResetFailureCount"), "cn=config")
    return _of_ppolicy(ask, bases)


def _of_domain(ask: Ask, bases: Sequence[str]) -> LockoutPolicy:
    domain = domain_of(bases[0])
    found = _readable(ask, Search(domain, "", ("lockoutThreshold", "lockOutObservationWindow"), 1))
    if not found or not found[0].values("lockoutThreshold"):
        return LockoutPolicy(is_active_directory=True)
    # a duration is negative, in units of 100 ns
    window_s = abs(_number(found[0], "lockOutObservationWindow")) / 1e7
    return LockoutPolicy(_number(found[0], "lockoutThreshold"), window_s, domain, is_active_directory=True)


def _of_ppolicy(ask: Ask, bases: Sequence[str]) -> LockoutPolicy:
    wanted = ("pwdLockout", "pwdMaxFailure", "pwdFailureCountInterval")
    found: list[Entry] = []
    for base in dict.fromkeys(domain_of(base) for base in bases):
        found += _readable(ask, Search(base, "(objectClass=pwdPolicy)", wanted, _MAX_POLICIES))
    locking = [
        entry
        for entry in found
        if plain_text((*entry.values("pwdLockout"), b"")[0]).lower() == "true" and _number(entry, "pwdMaxFailure") > 0
    ]
    if not locking:
        return LockoutPolicy(source=found[0].dn if found else "")
    strictest = min(locking, key=lambda entry: _number(entry, "pwdMaxFailure"))
    failures = _number(strictest, "pwdMaxFailure")
    return LockoutPolicy(failures, _number(strictest, "pwdFailureCountInterval"), strictest.dn)


def lockout_duration_s(ask: Ask, entry: Entry) -> float:
    """Return how long a lock by wrong passwords lasts by the entry's own policy; 0 for until it is removed."""
    if not entry.values("pwdAccountLockedTime") or not entry.values("pwdPolicySubentry"):
        return 0.0
    dn = plain_text(entry.values("pwdPolicySubentry")[0])
    found = _readable(ask, Search(dn, "", ("pwdLockoutDuration",), 1)) if dn else ()
    return float(_number(found[0], "pwdLockoutDuration")) if found else 0.0


def warning_of(policy: LockoutPolicy, *, is_active_directory: bool) -> tuple[str, str]:
    """Return what does not fit this directory in the settings, and what to do; ("", "") for nothing."""
    if policy.is_active_directory and not is_active_directory:
        return (
            "the server is an Active Directory, and the settings are for another kind",
            'Set LdapAccounts.profile = "active-directory".',
        )
    if is_active_directory and not policy.is_active_directory:
        return (
            "the server is no Active Directory",
            'Remove LdapAccounts.profile = "active-directory".',
        )
    return "", ""


def _readable(ask: Ask, search: Search) -> tuple[Entry, ...]:
    """Return what may be read; the portal's bind need not see policies."""
    try:
        return ask(search).entries
    except ServerRefused:
        return ()


def _number(entry: Entry, attribute: str) -> int:
    """Return the number in an attribute; 0 without one."""
    try:
        return int(plain_text((*entry.values(attribute), b"")[0]))
    except ValueError:
        return 0
