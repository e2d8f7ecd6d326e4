"""What commands for operators print: a table for people, JSON for programs, and what an error looks like."""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from daas_hub.errors import DaasError

JSON = click.option("--json", "is_json", is_flag=True, help="Print JSON, for programs.")


def lines_of_error(error: DaasError) -> list[str]:
    """Return an error as lines of text, with the detail that users do not see."""
    lines = [f"problem: {error.message}"]
    if error.detail:
        lines.append(f"  detail: {error.detail}")
    return [*lines, *([f"  fix: {error.remedy}"] if error.remedy else [])]


def reports_errors(command: Callable[..., int]) -> Callable[..., int]:
    """Let a command print an error of ours as the others do, and return 1."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> int:
        try:
            return command(*args, **options)
        except DaasError as error:
            click.echo("\n".join(lines_of_error(error)), err=True)
            return 1

    return run


def as_json(document: Any) -> str:
    """Return a document for programs."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return lines in columns, as wide as their content."""
    cells = [list(heads), *([_plain(str(cell)) for cell in row] for row in rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def local_time(moment: str) -> str:
    """Return a time of the API in the zone of this machine; "-" for none."""
    if not moment:
        return "-"
    return f"{datetime.datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its word: 1 session, 2 sessions, 2 people."""
    return f"{number} {one if number == 1 else several or one + 's'}"


@contextlib.contextmanager
def progress_of(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of long work on standard error, if that is a terminal: a log has no use for it.

    Args:
        length: of all of it, such as bytes; give what was done since the last time to the function.
    """
    with click.progressbar(
        length=length,
        label=label,
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
        # as often as its line can change
        update_min_steps=max(1, length // 100),
    ) as bar:
        yield bar.update
        # the end may be less than was expected
        bar.finish()
        bar.render_progress()


def _plain(text: str) -> str:
    """Return a text of the hub as one line that a terminal only shows: names are other people's."""
    return "".join(char if char.isprintable() else " " for char in text) or "-"


def _width(text: str) -> int:
    """Return how many columns of a terminal a text has."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) for char in text)
