"""What an id of a proposal may be, anywhere in the house: the same expression guards URL, path and log (A1 to A4)."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.proposals.model import PROPOSAL_ID


@pytest.mark.parametrize(
    "name",
    [
        "20.500.11935/2026-0123",
        "a/b/c/d",
        "MA-4242",
        "ma4242",
        "20240123",
        "p.1_x",
        "a",
        "A" * 64,
        "2024-1/7".replace("/", "-"),
    ],
)
def test_ids_as_facilities_have_them(name: str) -> None:
    assert PROPOSAL_ID.fullmatch(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/../b",
        "a//b",
        "a/",
        "/a",
        "a/.b",
        "a/b/c/d/e",
        "-a",
        "_a",
        ".a",
        "a b",
        "a\n",
        "a\0",
        "é",
        "a" * 65,
        "a%2e",
    ],
)
def test_invalid_ids(name: str) -> None:
    assert not PROPOSAL_ID.fullmatch(name)


@given(st.text(max_size=6) | st.text("aZ0.-_/", max_size=6))
def test_an_id_is_plain_components(name: str) -> None:
    if PROPOSAL_ID.fullmatch(name):
        assert PurePosixPath("/data", name).parts == ("/", "data", *name.split("/"))
        assert quote(name) == name
        assert name.isascii()
        assert name.isprintable()
