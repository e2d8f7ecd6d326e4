"""The result of one check of the doctor: what was checked, what came of it, and how to fix it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """The verdict of a check."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    #: nothing was done, and nothing may be concluded
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        key: short and stable, for monitoring: "login.discovery".
        check: what was done: "fetch the discovery document of https://...".
        result: what came of it. Never a secret.
        fix: what to do about it; "" for nothing.
    """

    key: str
    check: str
    verdict: Verdict
    result: str = ""
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the form it has in `--json`."""
        return asdict(self) | {"verdict": str(self.verdict)}


def ok(key: str, check: str, result: str = "") -> Finding:
    """Return a check that passed."""
    return Finding(key, check, Verdict.OK, result)


def warning(key: str, check: str, result: str, fix: str) -> Finding:
    """Return something an administrator should know, and that stops nobody."""
    return Finding(key, check, Verdict.WARNING, result, fix)


def problem(key: str, check: str, result: str, fix: str) -> Finding:
    """Return something that keeps people from working, or lets people in who must not be."""
    return Finding(key, check, Verdict.PROBLEM, result, fix)


def not_checked(key: str, check: str, why: str) -> Finding:
    """Return a check that was skipped."""
    return Finding(key, check, Verdict.NOT_CHECKED, why)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the code that monitoring (Nagios, Icinga) expects: 0 in order, 1 warnings, 2 problems."""
    verdicts = {one.verdict for one in findings}
    return 2 if Verdict.PROBLEM in verdicts else 1 if Verdict.WARNING in verdicts else 0
