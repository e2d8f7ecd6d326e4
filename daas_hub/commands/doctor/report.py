"""The doctor's report: as text, as JSON, and as the output of a Nagios plugin. Pure."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence

from daas_hub.commands.plugin import plain_line, plugin_line
from daas_hub.findings import Finding, Verdict, exit_code

_MARKS = {Verdict.OK: "ok     ", Verdict.WARNING: "WARNING", Verdict.PROBLEM: "PROBLEM", Verdict.NOT_CHECKED: "-      "}
_HEADINGS = {
    "configuration": "Configuration",
    "site": "Portal",
    "login": "Login",
    "accounts": "Accounts",
    "proposals": "Proposals",
    "sees": "What this person sees",
    "directories": "Directories",
    "sessions": "Sessions",
}
_WIDTH = 116


def as_text(file: str, findings: Sequence[Finding]) -> str:
    """Return the report as text: each check with its result and its fix."""
    lines: list[str] = []
    topic = ""
    order = list(_HEADINGS)
    for one in sorted(findings, key=lambda finding: order.index(finding.key.partition(".")[0])):
        if one.key.partition(".")[0] != topic:
            topic = one.key.partition(".")[0]
            lines += ["", _HEADINGS.get(topic, topic)]
        lines += _wrapped(f"{_MARKS[one.verdict]} {one.check}", "  ", "          ")
        if one.result:
            lines += _wrapped(one.result, "          result: ", "                  ")
        if one.fix:
            lines += _wrapped(one.fix, "          fix: ", "               ")
    return "\n".join([*lines[1:], "", f"{file}: {summary(findings)}"])


def as_json(file: str, findings: Sequence[Finding]) -> str:
    """Return the report as JSON."""
    return json.dumps(
        {
            "file": file,
            "summary": summary(findings),
            "exit_code": exit_code(findings),
            "findings": [one.as_json() for one in findings],
        },
        indent=1,
    )


def as_plugin_output(findings: Sequence[Finding], duration_s: float) -> str:
    """Return the report as monitoring reads it: one line with performance data, then what to do."""
    counts = Counter(one.verdict for one in findings)
    numbers = {
        "problems": counts[Verdict.PROBLEM],
        "warnings": counts[Verdict.WARNING],
        "passed": counts[Verdict.OK],
        "not_checked": counts[Verdict.NOT_CHECKED],
        "time": f"{duration_s:.1f}s",
    }
    bad = [one for one in findings if one.verdict in (Verdict.PROBLEM, Verdict.WARNING)]
    bad.sort(key=lambda one: one.verdict is not Verdict.PROBLEM)
    first = f": {bad[0].check}: {bad[0].result}" if bad else ""
    lines = [f"{one.verdict} {one.key}: {one.check}: {one.result} {one.fix}" for one in bad]
    return "\n".join([plugin_line(exit_code(findings), summary(findings) + first, numbers), *map(plain_line, lines)])


def summary(findings: Sequence[Finding]) -> str:
    """Return the summary line."""
    counts = Counter(one.verdict for one in findings)
    words = [
        f"{counts[verdict]} {word if counts[verdict] == 1 else word + 's'}"
        for verdict, word in ((Verdict.PROBLEM, "problem"), (Verdict.WARNING, "warning"))
        if counts[verdict]
    ]
    skipped = f", {counts[Verdict.NOT_CHECKED]} not checked" if counts[Verdict.NOT_CHECKED] else ""
    return f"{', '.join(words) or 'in order'} ({counts[Verdict.OK]} checks passed{skipped})"


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return [
        part
        for index, line in enumerate(text.splitlines() or [""])
        for part in textwrap.wrap(
            line, _WIDTH, initial_indent=others if index else first, subsequent_indent=others, break_long_words=False,
            break_on_hyphens=False,
        )
    ]  # fmt: skip
