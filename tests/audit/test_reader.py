"""Events are read back from the newest on, through all files, whatever is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daas_hub.audit import reader
from daas_hub.audit.events import BASE
from daas_hub.audit.log_file import NAME
from daas_hub.audit.reader import read_page


def line(number: int, **fields: Any) -> str:
    document = {
        "__schema__": f"{BASE}launch",
        "__timestamp__": f"2026-03-09T08:00:{number:02}.5+00:00Z",
        "number": number,
    }
    return json.dumps(document | {"user": "u1", "proposals": ["MA-4242"]} | fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / f"{NAME}.2026-03-07").write_text("".join(f"{line(number)}\n" for number in (1, 2)))
    (tmp_path / f"{NAME}.2026-03-08").write_text("".join(f"{line(number)}\n" for number in (3, 4)))
    (tmp_path / NAME).write_text(f"{line(5)}\n{line(6, user='ben', proposals=[])}\n")
    return tmp_path


def numbers(folder: Path, **wanted: Any) -> list[int]:
    return [one.fields["number"] for one in read_page(folder, **wanted).events]


def test_the_newest_first_through_all_files(folder: Path) -> None:
    assert numbers(folder) == [6, 5, 4, 3, 2, 1]
    assert read_page(folder).events[0].at == "2026-03-09T08:00:06"


@pytest.mark.parametrize(
    ("page", "found", "has_older"), [(1, [6, 5], True), (2, [4, 3], True), (3, [2, 1], False), (4, [], False)]
)
def test_pages(folder: Path, page: int, found: list[int], has_older: bool) -> None:
    result = read_page(folder, page=page, size=2)
    assert ([one.fields["number"] for one in result.events], result.has_older) == (found, has_older)


@pytest.mark.parametrize(
    ("search", "found"), [("BEN", [6]), ("ma-42", [5, 4, 3, 2, 1]), ("launch", []), ("2026", []), ("nobody", [])]
)
def test_a_search_is_about_names(folder: Path, search: str, found: list[int]) -> None:
    assert numbers(folder, search=search) == found


@pytest.mark.parametrize("block", [1, 7, 64, 100_000])
def test_lines_are_whole_however_they_are_read(folder: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_BLOCK", block)
    (folder / NAME).write_text(f"{line(5, user='ü' * 50)}\n{line(6)}\n", encoding="utf-8")
    assert numbers(folder) == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("rest", ['{"__schema__": "x', "[]", "7", "\x00" * 20, '{"a": 1}', "\udcff"], ids=str.__len__)
def test_what_is_no_event_is_left_out(folder: Path, rest: str) -> None:
    """A disk that was full, or a machine that lost its power, leaves half a line."""
    (folder / NAME).write_bytes(f"{line(5)}\n{rest}".encode(errors="surrogateescape"))
    assert numbers(folder) == [5, 4, 3, 2, 1]


def test_without_a_file_there_are_no_events(tmp_path: Path) -> None:
    assert read_page(tmp_path / "missing").events == ()
