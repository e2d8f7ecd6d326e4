"""JSON that two readers could understand differently is refused; everything else is what the library reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.services import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_is_plain_json_is_read(value: Any) -> None:
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        assert strict_json.loads(text) == value
        assert strict_json.loads(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": 1, "a": 1}', id="a key twice"),
        pytest.param('[{"x": {"a": 1, "a": 2}}]', id="a key twice, deep inside"),
        pytest.param('{"a": 1, "\\u0061": 2}', id="a key twice, once escaped"),
        pytest.param("NaN", id="NaN"),
        pytest.param("[Infinity]", id="infinity"),
        pytest.param('{"a": -Infinity}', id="minus infinity"),
        pytest.param("1e999", id="a number beyond all numbers"),
        pytest.param("9" * 5000, id="a number without end"),
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param('{"a":' * 100_000, id="objects nested without end"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="nested, and closed again"),
        pytest.param('"\\ud83d"', id="half a character"),
        pytest.param('{"\\uDE00": 1}', id="half a character in a key"),
        pytest.param("", id="nothing"),
        pytest.param(" ", id="blanks"),
        pytest.param("{} {}", id="two texts"),
        pytest.param("{'a': 1}", id="Python"),
        pytest.param("[1,]", id="a comma too many"),
        pytest.param('{"a": 01}', id="a leading zero"),
        pytest.param('"\x01"', id="a control character"),
        pytest.param("\ufeff{}", id="a byte order mark"),
        pytest.param("<html>", id="a page"),
    ],
)
def test_what_is_not_clear_is_refused(text: str) -> None:
    for given_as in (text, text.encode()):
        with pytest.raises(strict_json.InvalidJSON) as refused:
            strict_json.loads(given_as)
        assert isinstance(refused.value, ValueError)
        assert "\\" not in str(refused.value), "nothing of the text is repeated"


@pytest.mark.parametrize("code", ["utf-16", "utf-32", "latin-1"])
def test_other_encodings_are_refused(code: str) -> None:
    with pytest.raises(strict_json.InvalidJSON):
        strict_json.loads('"é"'.encode(code))


def test_a_whole_character_may_be_escaped() -> None:
    assert strict_json.loads('"\\ud83d\\ude00"') == "😀"
