"""What cannot be tried on this machine: reported in one list at the end of the run, never passed."""

from __future__ import annotations

import os
from collections import Counter
from typing import NoReturn

import pytest

#: What CI insists on; without it a missing one skips its tests with a reason.
REQUIRED = set(os.environ.get("DAAS_REQUIRE", "").split(",")) - {""}


def missing(what: str, reason: str) -> NoReturn:
    """Skip for want of something that can be installed, unless CI promised it."""
    if what in REQUIRED:
        pytest.fail(f"{what} is required here: {reason}")
    pytest.skip(reason)


def not_tried(reason: str) -> NoReturn:
    """Skip for want of something that no installation brings, in CI as well."""
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was not tried, with the number of tests for each reason."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)
        for report in terminalreporter.stats.get("skipped", ())
    )
    if reasons:
        terminalreporter.section(f"not tried: {sum(reasons.values())} tests")
        for reason, count in reasons.most_common():
            terminalreporter.line(f"{count:5}  {reason}")
