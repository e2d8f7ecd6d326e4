"""Commands about launches that wait, and sessions that ran: `queue`, `usage`."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import click

from daas_hub.commands.output import JSON, as_json, as_table, counted, local_time, reports_errors
from daas_hub.commands.running_hub import find_hub, hub_options
from daas_hub.errors import ConfigurationError

_COLUMNS = ("user", "session", "application", "size", "place", "proposals", "cpus", "memory_bytes", "gpus",
            "admitted", "started", "ended", "hours")  # fmt: skip
_GROUPS = ("application", "place", "proposal", "size", "user", "day")
_BAR = 40


@click.command()
@hub_options
@JSON
@reports_errors
def queue(is_json: bool, **where: Any) -> int:
    """List the launches that wait, in their order."""
    found = find_hub(**where).get("daas/queue")
    if is_json:
        print(as_json(found))
        return 0
    if not found["enabled"]:
        print("launches do not wait here (Queue.enabled)")
        return 0
    rows = [
        (number, one["person"], one["session"], one["application"], ", ".join(one["proposals"]) or "own", one["place"],
         local_time(one["since"]), one["words"])
        for number, one in enumerate(found["waiting"], start=1)
    ]  # fmt: skip
    if rows:
        heads = ("", "PERSON", "SESSION", "APPLICATION", "PROPOSAL", "PLACE", "SINCE", "WHAT ITS OWNER SEES")
        print(as_table(heads, rows))
    print(f"{counted(len(rows), 'launch', 'launches')} waiting")
    return 0


@click.command()
@hub_options
@click.option("--since", default="30d", show_default=True, metavar="TIME", help="7d, 24h, or a date: 2026-11-01.")
@click.option("--by", type=click.Choice(_GROUPS), default="application", show_default=True, help="What is added up.")
@click.option("--csv", "is_csv", is_flag=True, help="Print one line per session, for a spreadsheet.")
@click.option("--plot", is_flag=True, help="Show the hours as bars.")
@JSON
@reports_errors
def usage(*, since: str, by: str, is_csv: bool, plot: bool, is_json: bool, **where: Any) -> int:
    """Report what sessions used: a table, CSV or JSON.

    Hours are those since TIME, of sessions that ended since then or still run. A session on several proposals counts
    for each of them.
    """
    if is_csv + plot + is_json > 1:
        raise click.UsageError("--csv, --plot and --json exclude each other.")
    now = datetime.datetime.now(datetime.UTC)
    begin = begin_of(since, now)
    sessions = find_hub(**where).get(f"daas/usage?since={begin.timestamp():.0f}")["sessions"]
    for one in sessions:
        one["hours"] = round(hours_of(one, begin, now), 3)
    if is_json:
        print(as_json(sessions))
    elif is_csv:
        print(as_csv(sessions), end="")
    else:
        print(_report(totals(sessions, by), by, plot=plot))
    return 0


def begin_of(since: str, now: datetime.datetime) -> datetime.datetime:
    """Return the moment that `--since` names.

    Raises:
        ConfigurationError: it names none.
    """
    if age := re.fullmatch(r"(\d{1,5})([hd])", since.strip()):
        return now - datetime.timedelta(hours=int(age[1]) * (24 if age[2] == "d" else 1))
    try:
        return datetime.datetime.fromisoformat(since.strip()).astimezone()
    except (ValueError, OverflowError):
        raise ConfigurationError("--since", since, "is not a time", remedy="Write 7d, 24h or 2026-11-01.") from None


def hours_of(session: dict[str, Any], begin: datetime.datetime, now: datetime.datetime) -> float:
    """Return how long a session ran since a moment; 0 if it never ran."""
    if not session["started"]:
        return 0.0
    started = datetime.datetime.fromisoformat(session["started"])
    ended = datetime.datetime.fromisoformat(session["ended"]) if session["ended"] else now
    return max(0.0, (ended - max(started, begin)).total_seconds() / 3600)


def totals(sessions: Sequence[dict[str, Any]], by: str) -> list[tuple[str, int, float, float, float]]:
    """Return name, sessions, hours, CPU hours and GPU hours of each group, most hours first; days in their order."""
    found: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for one in sessions:
        for name in _groups_of(one, by):
            total = found[name]
            hours = one["hours"]
            for index, value in enumerate((1, hours, hours * one["cpus"], hours * one["gpus"])):
                total[index] += value
    rows = [(name, int(count), hours, cpu, gpu) for name, (count, hours, cpu, gpu) in found.items()]
    return sorted(rows, key=lambda row: (row[0],) if by == "day" else (-row[2], row[0]))


def as_csv(sessions: Sequence[dict[str, Any]]) -> str:
    """Return one line per session, with a heading.

    A spreadsheet takes a text that begins with =, +, - or @ for a formula: it gets an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in sessions:
        writer.writerow([_cell(one[name]) for name in _COLUMNS])
    return text.getvalue()


def _cell(value: object) -> object:
    text = ", ".join(map(str, value)) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(("=", "+", "-", "@")) else text


def _groups_of(session: dict[str, Any], by: str) -> list[str]:
    if by == "proposal":
        return session["proposals"] or ["own"]
    if by == "day":
        return [session["admitted"][:10]]
    return [session[by] or "-"]


def _report(rows: Sequence[tuple[str, int, float, float, float]], by: str, *, plot: bool) -> str:
    most = max((row[2] for row in rows), default=0)
    if plot:
        bars = [(row[0], f"{row[2]:.1f}", "█" * round(_BAR * row[2] / most if most else 0)) for row in rows]
        return as_table((by.upper(), "HOURS", ""), bars)
    table = [(name, count, f"{hours:.1f}", f"{cpu:.1f}", f"{gpu:.1f}") for name, count, hours, cpu, gpu in rows]
    return as_table((by.upper(), "SESSIONS", "HOURS", "CPU HOURS", "GPU HOURS"), table)
