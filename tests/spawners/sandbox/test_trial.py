"""The doctor's trial of a launch, in a real sandbox: what it reports of the system call filter."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from daas_hub.findings import Finding, Verdict
from daas_hub.spawners.probe_findings import findings_of
from daas_hub.spawners.sandbox.trial import try_sandbox
from tests.spawners.sandbox.sites import PLAN, site

pytestmark = pytest.mark.sandbox


def named(findings: list[Finding], key: str) -> Finding:
    (found,) = [one for one in findings if one.key == key]
    return found


async def test_the_filter_is_reported(sandbox_works: None) -> None:
    """A session without a filter is a problem, and not a detail."""
    with site() as storage:
        plan = replace(PLAN, mounts=(storage.home,))
        report = await try_sandbox(plan, prefix=Path(sys.prefix), read_only=[], bwrap="bwrap")
    found = named(findings_of(report, plan), "sessions.system_calls")
    assert (found.verdict, found.result) == (Verdict.OK, "system calls are filtered (seccomp)")
    without = named(findings_of(report | {"filters_calls": False}, plan), "sessions.system_calls")
    assert without.verdict is Verdict.PROBLEM
    assert "Do not open the portal" in without.fix
