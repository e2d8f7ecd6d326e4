"""What docs/how-to/operate-from-the-command-line.md shows of a command, to be compared with what it prints."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "operate-from-the-command-line.md"


def require_as_shown(command: str, printed: str, **names: str) -> None:
    """Check that the page shows what a command has printed, apart from numbers, times and random names.

    Args:
        command: as the page has it, without `daas-hub`.
        names: names of the page, and those that a test has instead.
    """
    found = re.findall(
        rf"^\$ daas-hub {re.escape(command)}\n(.*?)(?=^\$ |^```)", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found, f"the page does not show {command}"
    for name, here in names.items():
        printed = printed.replace(here, name)
    assert _shape(printed) in [_shape(one) for one in found], printed


def _shape(text: str) -> list[str]:
    text = re.sub(r"http://\S+|\b(terminal|pymca)-[0-9a-f]{10}|\b[a-z2-7]{17}\b|\b[0-9a-f]{20}\b", "x", text)
    # the example has one session of another application
    text = re.sub(r"(█+|-)$", "", text.replace("pymca ", "terminal "), flags=re.MULTILINE)
    return [" ".join(re.sub(r"\d+", "0", line).split()) for line in text.strip().splitlines()]
