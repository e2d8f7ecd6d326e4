"""`make audit`: an advisory is an advisory, and what could not be asked is not "nothing found"."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit.py"
CLEAN = {"dependencies": [{"name": "tornado", "version": "6.6", "vulns": []}]}
KNOWN = {"dependencies": [{"name": "tornado", "version": "6.6", "vulns": [{"id": "GHSA-1"}]}]}
SKIPPED = {
    "dependencies": [
        {"name": "tornado", "version": "6.6", "vulns": []},
        {"name": "aiohttp", "skip_reason": "Dependency not found: aiohttp (3)"},
        {"name": "attrs", "skip_reason": "Dependency not found: attrs (26)"},
        {"name": "daas-hub", "skip_reason": "Dependency not found: daas-hub (0)"},
    ]
}
NPM_CLEAN = {"vulnerabilities": {}}
NPM_KNOWN = {"vulnerabilities": {"ws": {"range": "<8", "severity": "high"}}}


@pytest.mark.parametrize(
    ("python", "node", "code", "lines"),
    [
        (CLEAN, NPM_CLEAN, 0, ["0 advisories known"]),
        (KNOWN, NPM_CLEAN, 1, ["advisory: tornado 6.6: GHSA-1", "1 advisories known"]),
        (CLEAN, NPM_KNOWN, 1, ["advisory: ws <8: high", "1 advisories known"]),
        (
            SKIPPED, NPM_CLEAN, 3,
            [
                "not asked: 2 Python packages: Dependency not found: aiohttp, attrs",
                "0 advisories known; not everything could be asked",
            ],
        ),
        (
            CLEAN, "npm error 403 Forbidden\nnpm error A complete log of this run is elsewhere", 3,
            [
                "not asked: every npm package: npm error 403 Forbidden",
                "0 advisories known; not everything could be asked",
            ],
        ),
        (
            "ERROR: connection refused", NPM_KNOWN, 1,
            [
                "advisory: ws <8: high", "not asked: every Python package: ERROR: connection refused",
                "1 advisories known; not everything could be asked",
            ],
        ),
    ],
    ids=["clean", "a Python advisory", "an npm advisory", "packages unknown", "npm refused", "no answer for Python"],
)  # fmt: skip
def test_what_is_reported(tmp_path: Path, python: Any, node: Any, code: int, lines: list[str]) -> None:
    """The two programs answer as they do; a text stands for what they print where they fail."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "node").mkdir()
    for program, answer in (("pip-audit", python), ("npm", node)):
        (tmp_path / f"{program}.txt").write_text(answer if isinstance(answer, str) else json.dumps(answer))
        end = ">&2; exit 1" if isinstance(answer, str) else ""
        (tmp_path / "bin" / program).write_text(f"#!/bin/sh\ncat {tmp_path}/{program}.txt {end}\n")
        (tmp_path / "bin" / program).chmod(0o755)
    ran = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == lines
    assert ran.returncode == code
