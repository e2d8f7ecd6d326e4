"""Text that others wrote: whatever it is, it can be encoded, shown and bounded, and good text stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.services.outside_text import encodable, encodable_document, printable
from daas_hub.services.strict_json import InvalidJSON, loads
from tests.hostile_texts import HOSTILE, is_presentable


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_can_be_shown(text: str) -> None:
    for lines in (False, True):
        shown = printable(text, 100, lines=lines)
        assert is_presentable(shown, 100, lines=lines)


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"]), max_size=50), st.integers(1, 60))
def test_any_text_can_be_shown(text: str, length: int) -> None:
    assert is_presentable(printable(text, length), length)
    assert is_presentable(printable(text, length, lines=True), length, lines=True)


@pytest.mark.parametrize(
    "text",
    [
        "Glas, 50 °C – «neu»",
        "Großer Ofen",
        "日本語の題",
        "مي\u200cخواهم",
        "👩\u200d🔬 at work",
        "Žižka",
        "α-Fe₂O₃",
        "e\u0301",
    ],
)
def test_good_text_stays(text: str) -> None:
    assert printable(text, 100) == printable(text, 100, lines=True) == encodable(text) == text


@pytest.mark.parametrize(
    ("text", "line", "lines"),
    [
        pytest.param("a\r\nb\rc\n\nd", "a b c d", "a\nb\nc\n\nd", id="ends of lines"),
        pytest.param("  a \t b\u00a0c ", "a b c", "a b c", id="blanks"),
        pytest.param("cut: \ud83d", "cut: \ufffd", "cut: \ufffd", id="half a character"),
        pytest.param("a\u202eb\u200bc\ufeff", "abc", "abc", id="marks without width"),
        pytest.param("a\0b\x1b[31mc", "a b [31mc", "a b [31mc", id="control characters"),
    ],
)
def test_what_becomes_of_it(text: str, line: str, lines: str) -> None:
    assert printable(text, 100) == line
    assert printable(text, 100, lines=True) == lines


def test_documents_are_made_encodable_everywhere() -> None:
    document: Any = loads('{"a": ["x\\ud83d", {"k\\ude00": "\\ud83d\\ude00"}], "n": 1}', replace_surrogates=True)
    assert document == {"a": ["x\ufffd", {"k\ufffd": "😀"}], "n": 1}


@pytest.mark.parametrize("text", ['{"\\ud83d": 1, "\\ud83e": 2}', '{"\\ud83d": 1, "\\ufffd": 2}'])
def test_keys_that_become_the_same_are_refused(text: str) -> None:
    with pytest.raises(InvalidJSON):
        loads(text, replace_surrogates=True)
    with pytest.raises(ValueError, match="same"):
        encodable_document({chr(0xD83D): 1, chr(0xD83E): 2})
