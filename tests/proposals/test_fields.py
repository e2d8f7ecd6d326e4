"""Which field is which word, as an administrator writes it: what it leads to, what is refused at the start (ES37)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.errors import ConfigurationError
from daas_hub.proposals.fields import WORDS, FieldMap, values_at

RECORD: dict[str, Any] = {
    "name": "MA-4242",
    "id": 42,
    "title": "",
    "summary": "Glass",
    "visitId": "1",
    "none": None,
    "yes": True,
    "path": "a/b",
    "up": "..",
    "instruments": [{"instrument": {"name": "ID21"}}, {"instrument": {"name": "ID22"}}, {"instrument": None}],
    "nested": [["a"], ["b", None]],
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        pytest.param("name", ["MA-4242"], id="a field"),
        pytest.param("id", [42], id="a number stays one"),
        pytest.param("nowhere", [], id="no such field"),
        pytest.param("none", [], id="null"),
        pytest.param("title", [], id="an empty text"),
        pytest.param("title|summary", ["Glass"], id="the first that says something"),
        pytest.param("nowhere|none|title", [], id="none of them"),
        pytest.param("instruments.instrument.name", ["ID21", "ID22"], id="through a list"),
        pytest.param("nested", ["a", "b"], id="lists in lists"),
        pytest.param("name.first", [], id="beyond a text"),
        pytest.param("/data/{name}/{visitId}", ["/data/MA-4242/1"], id="a text"),
        pytest.param("/data/{title|summary}-{id}", ["/data/Glass-42"], id="alternatives in a text"),
        pytest.param("/data/{name}/{nowhere}", [], id="a text with a gap is none"),
        pytest.param("/data/{instruments.instrument.name}", ["/data/ID21"], id="the first of several"),
    ],
)
def test_paths(path: str, values: list[Any]) -> None:
    assert values_at(RECORD, path) == values


@pytest.mark.parametrize("field", ["path", "up", "yes", "instruments"])
def test_one_value_is_one_component_of_a_path(field: str) -> None:
    """A1: a title or a name with a slash must not lead to another proposal's directory."""
    with pytest.raises(ValueError, match=field):
        values_at(RECORD, f"/data/{{{field}}}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"titel": "summary"}, "Did you mean 'title'", id="a misspelt word"),
        pytest.param({"zzz": "x"}, "Known: id, title", id="a word nothing is like"),
        pytest.param({"visit": "x"}, "Did you mean", id="half a word"),
        pytest.param({"title": 7}, "not a path", id="a number"),
        pytest.param({"title": ["a"]}, "not a path", id="a list"),
        pytest.param({"title": "a..b"}, "not a path", id="a step without a name"),
        pytest.param({"title": "a|"}, "not a path", id="an alternative without a name"),
        pytest.param({"title": "a[0]"}, "not a path", id="an index"),
        pytest.param({"title": "/data/x"}, "not a path", id="a text without paths"),
        pytest.param({"title": "{a"}, "not a path", id="a brace left open"),
        pytest.param({"title": "{}"}, "not a path", id="an empty brace"),
        pytest.param({"title": "{{a}}"}, "not a path", id="double braces"),
        pytest.param({"title": "{a!r}"}, "not a path", id="a conversion"),
        pytest.param({"title": "{a.__class__ }"}, "not a path", id="a blank"),
        pytest.param({"id": ""}, "no path for", id="no id"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        FieldMap.of("IcatProposals.fields", {"id": "name"}, changes)
    assert raised.value.setting == "IcatProposals.fields"


def test_what_is_said_counts_instead_of_what_is_known() -> None:
    fields = FieldMap.of("X.fields", {"id": "name", "title": "title"}, {"title": "summary", "visits": ""})
    assert set(fields.paths) == set(WORDS)
    assert (fields.value("id", RECORD), fields.value("title", RECORD)) == ("MA-4242", "Glass")
    assert fields.value("abstract", RECORD) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=5))
def test_any_record_gives_values_or_a_value_error(record: Any) -> None:
    """Whatever comes, a way leads to plain values, and a filled text stays below where it begins."""
    for way in ("a", "a.b|c"):
        assert None not in values_at({"a": record, "c": record}, way)
    try:
        (text,) = values_at({"a": record}, "/data/{a}") or [""]
    except ValueError:
        assert not (isinstance(record, str) and record.isascii() and record.isalnum()), "a plain value fills it"
    else:
        assert text == "" or text.count("/") == 2
