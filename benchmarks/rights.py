"""The rights of a benchmark's people: accounts and proposals in the demo's kinds of files, and their ends."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from daas_hub.demo.profile import FOLDER

#: A proposal of the demo that somebody may lose, and one that they keep: a source without any looks broken.
LOST, KEPT = "MA-4242", "LS-1007"
FIRST_UID = 30_000


@dataclass
class Rights:
    """The accounts and the members of proposals; a change replaces their files, which the hub reads again.

    Attributes:
        folder: of the files.
        issuer: of the logins.
    """

    folder: Path
    issuer: str
    _accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _members: dict[str, None] = field(default_factory=dict)

    @property
    def accounts_file(self) -> Path:
        """The table of accounts."""
        return self.folder / "bench-accounts.yaml"

    @property
    def proposals_file(self) -> Path:
        """The table of proposals."""
        return self.folder / "bench-proposals.yaml"

    def add(self, subject: str, *, until: float | None = None) -> None:
        """Add somebody with an account and both proposals; `until` is its end date, in seconds since 1970."""
        uid = FIRST_UID + len(self._accounts)
        account = {"name": subject, "uid": uid, "gid": uid, "groups": {"ma-4242": 26001, "ls-1007": 26002}}
        if until is not None:
            account["valid_until"] = datetime.datetime.fromtimestamp(until, datetime.UTC).isoformat()
        self._accounts[subject] = account | {"logins": [{"issuer": self.issuer, "subject": subject}]}
        self._members[subject] = None

    def remove_account(self, subject: str) -> None:
        """Remove somebody's account, with the next `write`."""
        del self._accounts[subject]

    def take_proposal(self, subject: str) -> None:
        """Remove somebody from one of their two proposals, with the next `write`."""
        del self._members[subject]

    def refuse_login(self, subject: str) -> None:
        """Let the demo's identity provider refuse somebody's tokens from now on."""
        requests.post(f"{self.issuer}/users/{subject}/revoke-tokens", timeout=30).raise_for_status()

    def write(self) -> None:
        """Replace both files."""
        proposals = yaml.safe_load((FOLDER / "proposals.yaml").read_text())
        for one in proposals["proposals"]:
            one["members"] = list(self._members if one["id"] == LOST else self._accounts)
        _replace(self.proposals_file, proposals)
        _replace(self.accounts_file, {"accounts": list(self._accounts.values())})


def _replace(path: Path, content: dict[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump(content, allow_unicode=True))
    os.replace(new, path)
