"""Mutation testing of the modules that decide who may do what: `make mutants`.

Each module is copied with one change at a time (cosmic-ray), and its tests run. A mutant that no test notices survives:
either a test is missing, or the change means the same. Works on a copy of the checkout.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_OIDC = "tests/authenticators/oidc"

#: Module -> the tests that have to notice.
TARGETS = {
    "daas_hub/accounts/rules.py": "tests/accounts/test_rules.py",
    "daas_hub/accounts/agreement.py": "tests/accounts/test_agreement.py",
    "daas_hub/launch/request.py": "tests/launch/test_request.py tests/launch/test_several_visits.py",
    "daas_hub/launch/mounts.py": "tests/launch/test_mounts.py tests/launch/test_several_visits.py",
    "daas_hub/launch/paths.py": "tests/launch/test_paths.py tests/launch/test_mounts.py",
    "authenticators/oidc/id_tokens.py": f"{_OIDC}/test_id_tokens.py {_OIDC}/test_large_and_signed.py",
    "authenticators/oidc/logout_tokens.py": f"{_OIDC}/test_logout_tokens.py {_OIDC}/test_mutations.py",
    "authenticators/account_linking/linking.py": "tests/authenticators/account_linking",
}
WANTED = 0.9

#: Changes that mean the same here, or that the type checker refuses.
LEFT_OUT = (
    "core/ReplaceBinaryOperator_BitOr_",  # only in annotations and unions of dictionaries
    "core/ReplaceComparisonOperator_Is_Eq",  # of types and None, which are equal to themselves only
    "core/ReplaceComparisonOperator_IsNot_NotEq",
    "core/ReplaceComparisonOperator_Eq_Is",  # of small numbers and interned words
    "core/ReplaceComparisonOperator_NotEq_IsNot",
    "core/RemoveDecorator",
    "core/ExceptionReplacer",
)


def config(module: str, tests: str) -> str:
    """Return cosmic-ray's configuration for one module."""
    command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider {tests}"
    return (
        f"[cosmic-ray]\nmodule-path = {json.dumps(module)}\ntimeout = 120.0\nexcluded-modules = []\n"
        f"test-command = {json.dumps(command)}\n[cosmic-ray.distributor]\nname = 'local'\n"
    )


def run(copy: Path, module: str, tests: str) -> list[dict[str, object]]:
    """Try every mutant of one module; return each with its operator, line and outcome."""
    file, session = copy / "mutants.toml", copy / "mutants.sqlite"
    file.write_text(config(module, tests))
    tomllib.loads(file.read_text())
    session.unlink(missing_ok=True)
    program = str(Path(sys.executable).with_name("cosmic-ray"))
    for words in (["init", file.name, session.name], ["baseline", file.name], ["exec", file.name, session.name]):
        subprocess.run([program, *words], cwd=copy, check=True, stdout=subprocess.DEVNULL)
        if words[0] == "init":
            leave_out(session)
    dumped = subprocess.run([program, "dump", session.name], cwd=copy, check=True, capture_output=True, text=True)
    return list(outcomes(dumped.stdout.splitlines()))


def leave_out(session: Path) -> None:
    """Take the mutants of ``LEFT_OUT`` out of a session."""
    with sqlite3.connect(session) as database:
        for operator in LEFT_OUT:
            ids = [
                row[0]
                for row in database.execute(
                    "SELECT job_id FROM mutation_specs WHERE operator_name LIKE ?", (operator + "%",)
                )
            ]
            for job in ids:
                database.execute("DELETE FROM mutation_specs WHERE job_id = ?", (job,))
                database.execute("DELETE FROM work_items WHERE job_id = ?", (job,))


def outcomes(lines: Iterable[str]) -> Iterable[dict[str, object]]:
    """Return the mutants of a dump, which has a line of JSON for each."""
    for line in lines:
        item, result = json.loads(line)
        for mutation in item["mutations"]:
            yield {
                "operator": mutation["operator_name"].removeprefix("core/"),
                "line": mutation["start_pos"][0],
                "outcome": (result or {}).get("test_outcome", "not run"),
                "diff": (result or {}).get("diff", ""),
            }


def main() -> int:
    """Try the modules that were named, print a table and the survivors; return 1 if too many survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TARGETS), help="some of the modules")
    options = parser.parse_args()
    if unknown := set(options.modules) - set(TARGETS):
        parser.error(f"not among the modules: {', '.join(sorted(unknown))}")
    worst = 1.0
    print("| module | mutants | killed | share |\n| --- | --- | --- | --- |")
    survivors = []
    with tempfile.TemporaryDirectory(prefix="daas-mutants-") as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "node_modules", "build", "test-output"))
        for module in options.modules:
            found = run(copy, module, TARGETS[module])
            alive = [one for one in found if one["outcome"] != "killed"]
            share = 1 - len(alive) / max(len(found), 1)
            worst = min(worst, share)
            print(f"| `{module}` | {len(found)} | {len(found) - len(alive)} | {share:.2f} |", flush=True)
            survivors += [(module, one) for one in alive]
    for module, one in survivors:
        print(f"\n{module}:{one['line']} {one['operator']} ({one['outcome']})\n{one['diff']}")
    return 0 if worst >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
