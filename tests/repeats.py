"""Tests that `make test` repeated: a portal, a browser, an engine and a cluster share a machine, which can be too busy.

A test that fails is run once more (pytest-rerunfailures). The run lists what failed first and why, so that nothing is
hidden, and it fails if that was more than a few: then it is not the machine.
"""

from __future__ import annotations

import pytest

#: As many tests of one run may pass at their second attempt.
MOST = 8


class Repeats:
    """The tests that failed at their first attempt, with the last line of what they said."""

    def __init__(self) -> None:
        self.first: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a failure that is followed by a second attempt."""
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]
            crash = getattr(report.longrepr, "reprcrash", None)
            words = (crash.message if crash else report.longreprtext).strip().splitlines()
            self.first.append((report.nodeid, words[0] if words else ""))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Let a run fail in which too many tests needed a second attempt."""
        if len(self.first) > MOST and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List them."""
        if not self.first:
            return
        terminalreporter.section(f"failed at their first attempt: {len(self.first)} tests, and {MOST} is the limit")
        for name, words in self.first:
            terminalreporter.line(f"{name}: {words}")
