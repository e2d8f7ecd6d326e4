"""Which accounts may run sessions: valid names, uid and gid ranges, forbidden groups. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from daas_hub.accounts.model import Account
from daas_hub.errors import AccountRefused, ConfigurationError, ErrorKind

#: Names that `useradd --badname` and systemd accept on most systems: capitals, dots, and a digit at the beginning.
NAME_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}"
#: Whatever the pattern is: a name is part of paths and of lines in passwd, and programs read digits as an id.
_NEVER = re.compile(r"[-.].*|.*\.\..*|[0-9]+|.*[\s/:\\,].*")
_MAX_LENGTH = 128

#: (uid_t) -1 means "no change" to chown and setresuid, and is never an account.
_NO_ID = 2**32 - 1


def is_valid_name(name: str, pattern: str = NAME_PATTERN) -> bool:
    """Return whether an account may have this name, by the pattern, and by what no name may be."""
    if not 0 < len(name) <= _MAX_LENGTH or not name.isprintable() or _NEVER.fullmatch(name):
        return False
    return bool(re.fullmatch(pattern, name))


def account_rules(min_id: int, max_id: int, name_pattern: str) -> AccountRules:
    """Return the rules of these settings of the facility.

    Raises:
        ConfigurationError: no id is left, or the pattern is no regular expression.
    """
    if not 0 < min_id <= max_id:
        raise ConfigurationError(
            "Facility.min_id",
            min_id,
            f"leaves no id up to max_id = {max_id}",
            remedy="Set the lowest and highest uid and gid of people here, for instance 1000 and 60000000.",
        )
    try:
        re.compile(name_pattern)
    except re.error as error:
        raise ConfigurationError(
            "Facility.account_name_pattern",
            name_pattern,
            f"is not a regular expression: {error}",
            remedy=f"The default is {NAME_PATTERN}",
        ) from None
    return AccountRules(min_id, max_id, name_pattern=name_pattern)


@dataclass(frozen=True)
class AccountRules:
    """The allowed range of ids, inclusive, and the pattern of names. Others are refused, never replaced."""

    min_id: int = 1000
    max_id: int = 60_000_000
    forbidden_ids: frozenset[int] = frozenset({0, 65534, 65535, _NO_ID})
    name_pattern: str = NAME_PATTERN

    def require_allowed(self, account: Account) -> Account:
        """Return the account if sessions may run as it.

        Raises:
            AccountRefused: with the field that is wrong; ids are not secret.
        """
        if not is_valid_name(account.name, self.name_pattern):
            raise self._refused(account, "its name is not a valid Unix user name here")
        for label, number in (("uid", account.uid), ("gid", account.gid)):
            if not self._allowed(number):
                raise self._refused(
                    account,
                    f"its {label} {number!r} is outside {self.min_id} to {self.max_id}",
                    ErrorKind.ID_OUT_OF_RANGE,
                )
        for number in account.groups:
            if not self._allowed(number):
                raise self._refused(
                    account, f"it belongs to group {number!r}, which sessions may not have", ErrorKind.ID_OUT_OF_RANGE
                )
        return account

    def _allowed(self, number: object) -> bool:
        # bool is an int to Python: `uid: yes` in a YAML file must not become uid 1
        return (
            isinstance(number, int)
            and not isinstance(number, bool)
            and self.min_id <= number <= self.max_id
            and number not in self.forbidden_ids
        )

    @staticmethod
    def _refused(account: Account, why: str, kind: ErrorKind = ErrorKind.ACCOUNT_UNUSABLE) -> AccountRefused:
        return AccountRefused(
            f"The facility account {account.name[:64]!r} cannot be used: {why}.",
            remedy="Please contact the user office.",
            kind=kind,
        )
