"""What an examination found: one check, what came of it, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    #: nothing was done, and nothing may be concluded
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        key: short and stable, for monitoring: "login.discovery".
        did: what was done, in words: "read the description of https://...".
        got: what came of it. Never a secret.
        remedy: what to do about it; "" for nothing.
    """

    key: str
    did: str
    verdict: Verdict
    got: str = ""
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in `--json`."""
        return asdict(self) | {"verdict": str(self.verdict)}


def ok(key: str, did: str, got: str = "") -> Finding:
    """Return a check that held."""
    return Finding(key, did, Verdict.OK, got)


def warning(key: str, did: str, got: str, remedy: str) -> Finding:
    """Return something an administrator should know, and that stops nobody."""
    return Finding(key, did, Verdict.WARNING, got, remedy)


def problem(key: str, did: str, got: str, remedy: str) -> Finding:
    """Return something that keeps people from working, or keeps nobody out."""
    return Finding(key, did, Verdict.PROBLEM, got, remedy)


def not_checked(key: str, did: str, why: str) -> Finding:
    """Return a check that was not made."""
    return Finding(key, did, Verdict.NOT_CHECKED, why)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the code that monitoring (Nagios, Icinga) reads: 0 in order, 1 warnings, 2 problems."""
    verdicts = {one.verdict for one in findings}
    return 2 if Verdict.PROBLEM in verdicts else 1 if Verdict.WARNING in verdicts else 0
