"""Which accounts may run a session at all: uid and gid ranges, names, forbidden groups. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from daas_hub.accounts.model import Account
from daas_hub.errors import AccountRefused, ErrorKind

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")

#: The kernel's (uid_t) -1 means "no change" to chown and setresuid: never an account.
_NO_ID = 2**32 - 1


@dataclass(frozen=True)
class AccountRules:
    """The allowed range of ids, inclusive. Anything else is refused, never replaced by a default."""

    min_id: int = 1000
    max_id: int = 60_000_000
    forbidden_ids: frozenset[int] = frozenset({0, 65534, 65535, _NO_ID})

    def require_allowed(self, account: Account) -> Account:
        """Return the account back if a session may run as it.

        Raises:
            AccountRefused: with the field that is wrong; the number itself is no secret.
        """
        if not _NAME.fullmatch(account.name):
            raise self._refused(account, "its name is not a plain Unix name")
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
                    account, f"it belongs to group {number!r}, which no session may have", ErrorKind.ID_OUT_OF_RANGE
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
            remedy="Please tell the user office; nothing you can change here.",
            kind=kind,
        )
