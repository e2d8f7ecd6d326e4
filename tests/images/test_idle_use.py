"""What applications use while nobody works with them, as measured and documented: below the threshold, each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.catalogue import Kind, read_catalogue
from daas_hub.policy import Lifetimes
from tests.images.conftest import IMAGES, SMOKES

DOCS = Path(__file__).parents[2] / "docs"
#: The section of each page, up to the next of the same level.
TABLES = {
    "images": (DOCS / "reference" / "benchmarks.md", "## Applications that nobody works with"),
    "demo": (DOCS / "how-to" / "limits-of-sessions.md", "### The threshold"),
}
#: A row: the name, then the highest of some windows with the page open, and closed.
ROW = re.compile(r"^\| (?P<name>[\w -]+?) \| [\d.]+ \| (?P<opened>[\d.]+) \| [\d.]+ \| (?P<closed>[\d.]+) \|$", re.M)


def section(table: str) -> str:
    """Return the section of a page with a table."""
    page, head = TABLES[table]
    return page.read_text().partition(f"\n{head}\n")[2].partition("\n## ")[0]


def measured(table: str) -> Iterator[tuple[str, float]]:
    """Yield each application with the most that it used."""
    for row in ROW.finditer(section(table)):
        yield row["name"], max(float(row["opened"]), float(row["closed"]))


@pytest.mark.parametrize("table", TABLES)
def test_the_threshold_is_above_what_was_measured(table: str) -> None:
    found = dict(measured(table))
    size = next(iter(read_catalogue(IMAGES)[0].sizes.values()))
    thresholds = {name: Lifetimes().limits_of(name, size, ()).busy_processors for name in found}
    assert found
    assert {name: used for name, used in found.items() if used >= thresholds[name]} == {}


def test_each_application_of_an_image_was_measured() -> None:
    """Or stands among those that were not, because their image could not be built."""
    applications = {one.name for smoke in SMOKES for one in smoke.applications.values() if one.kind is not Kind.LINK}
    (words,) = re.findall(r"^Not measured, [^:]*: (.*)\.$", section("images"), re.M)
    left_out = set(re.findall(r"`([\w-]+)`", words))
    assert {name for name, _ in measured("images")} | left_out == applications
    assert all(name.startswith("crystfel") for name in left_out)
