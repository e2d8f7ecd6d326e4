"""YAML files become records, or an error with file, line and reason; whatever is in them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daas_hub.errors import DocumentError
from daas_hub.services.yaml_document import MAX_BYTES, Document, read_document


class _Person(Document):
    name: str
    uid: int
    groups: dict[str, int] = {}


class _Table(Document):
    people: list[_Person]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.yaml"


def read(file: Path, text: str | bytes) -> _Table:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_document(file, _Table)


def test_a_good_file(file: Path) -> None:
    table = read(
        file, "# who\npeople:\n  - {name: anna, uid: 25001, groups: {ma-1: 26001}}\n  - name: ben\n    uid: 25002\n"
    )
    assert [person.name for person in table.people] == ["anna", "ben"]
    assert table.people[0].groups == {"ma-1": 26001}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("", 1, "empty", id="empty"),
        pytest.param("# nothing\n", 1, "empty", id="only a comment"),
        pytest.param("people:\n  - name: anna\n    uid: '25001'\n", 3, "people.0.uid", id="B1 a number in quotes"),
        pytest.param("people:\n  - name: anna\n    uid: yes\n", 3, "people.0.uid", id="B1 yes is not 1"),
        pytest.param("people:\n  - name: anna\n    uid: 1000.5\n", 3, "people.0.uid", id="B1 a fraction"),
        pytest.param("people:\n  - name: anna\n    uid: .nan\n", 3, "people.0.uid", id="B1 not a number"),
        pytest.param("people:\n  - name: anna\n    uid: １０００\n", 3, "people.0.uid", id="B1 full-width digits"),
        pytest.param("people:\n  - name: anna\n    uid: null\n", 3, "people.0.uid", id="null"),
        pytest.param("people:\n  - name: 7\n    uid: 25001\n", 2, "people.0.name", id="G2 a name that is a number"),
        pytest.param("people:\n  - name: anna\n    uid: 1\n    uid: 2\n", 4, "duplicate key", id="G1 a key twice"),
        pytest.param("people: []\npeople: []\n", 2, "duplicate key", id="G1 a key twice at the top"),
        pytest.param("people:\n  - name: anna\n    uid: 1\n    admin: true\n", 4, "people.0.admin", id="unknown key"),
        pytest.param("people:\n  - uid: 1\n", 2, "people.0.name", id="missing key: the line of its parent"),
        pytest.param("persons: []\n", 1, "people", id="misspelt key"),
        pytest.param("people: {}\n", 1, "people", id="mapping for a list"),
        pytest.param("- people\n", 1, "", id="list for a mapping"),
        pytest.param("just text", 1, "", id="text"),
        pytest.param("people:\n  - name: [anna\n", 3, "not YAML", id="bracket left open"),
        pytest.param("people:\n\t- name: anna\n", 2, "not YAML", id="tab"),
        pytest.param("people: []\n---\npeople: []\n", 2, "not YAML", id="two documents"),
        pytest.param("people: *nobody\n", 1, "not YAML", id="unknown anchor"),
        pytest.param("people: !!python/object/apply:os.system [id]\n", 1, "not YAML", id="a tag that runs code"),
        pytest.param("people: !secret x\n", 1, "not YAML", id="unknown tag"),
        pytest.param("people: &a [*a]\n", 1, "nested", id="G1 a list inside itself"),
        pytest.param("people: " + "[" * 30 + "]" * 30, 1, "nested", id="G1 nested"),
        pytest.param("people: " + "[" * 100_000, 1, "not YAML", id="G1 nested a hundred thousand deep"),
        pytest.param("people: 2026-13-45\n", 1, "not YAML", id="G2 a date that is none"),
        pytest.param("people:\n  ? [a, b]\n  : 1\n", 2, "not YAML", id="a key that is a list"),
        pytest.param("people: \0\n", 1, "not YAML", id="NUL"),
        pytest.param(b"people: \xff\xfe\n", 0, "cannot be read", id="G2 not UTF-8"),
        pytest.param("people: []\n# " + "x" * MAX_BYTES, 1, "larger than", id="G1 too long"),
        pytest.param("people: !!timestamp soon\n", 1, "not YAML", id="G2 a tag and a value that is none: date"),
        pytest.param("people: !!bool perhaps\n", 1, "not YAML", id="G2 a tag and a value that is none: truth"),
        pytest.param("people: !!int ''\n", 1, "not YAML", id="G2 a tag and a value that is none: number"),
        pytest.param("people: !!float ''\n", 1, "not YAML", id="G2 a tag and a value that is none: fraction"),
        pytest.param("people: 1" + ":59" * 200 + ".0\n", 1, "not YAML", id="G2 a fraction in base 60, too large"),
        pytest.param("people: " + "9" * 5000, 1, "", id="G2 a number longer than Python reads"),
    ],
)
def test_a_bad_file_is_reported_with_its_line(file: Path, text: str | bytes, line: int, words: str) -> None:
    with pytest.raises(DocumentError) as told:
        read(file, text)
    assert told.value.line == line
    assert told.value.path == str(file)
    assert words in str(told.value)
    assert not told.value.for_user, "a path of the server is not for users"


@pytest.mark.parametrize("kind", ["missing", "directory", "dangling link", "loop"])
def test_a_file_that_is_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.symlink_to("x.yaml" if kind == "loop" else "nowhere")
    with pytest.raises(DocumentError) as told:
        read_document(path, _Table)
    assert told.value.line == 0


def test_anchors_cannot_blow_up(file: Path) -> None:
    """G1: nine anchors of nine aliases each are 350 bytes and three hundred million nodes."""
    lines = ["a0: &a0 x"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 8)]
    begun = time.monotonic()
    with pytest.raises(DocumentError):
        read(file, "\n".join(lines))
    assert time.monotonic() - begun < 2


def test_records_are_final(file: Path) -> None:
    table = read(file, "people: []")
    with pytest.raises(ValueError, match="frozen"):
        table.people = []


tags = st.sampled_from(["int", "timestamp", "binary", "float", "bool", "set", "omap", "str", "null"]).map(
    "!!{} ".format
)
signs = st.sampled_from(list("{}[]:,-|>%@~#?=\\\"'\n\t\0é\ufeff"))
pieces = (
    tags
    | signs
    | st.sampled_from(["people", "name", "uid", "anna", "25001", "&a ", "*a", "<<", ": ", "- ", "  ", "yes"])
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(pieces, max_size=14).map("".join).map(str.encode)
    | st.lists(pieces, max_size=8).map("".join).map(lambda tail: f"people:\n  - name: anna\n    uid: {tail}".encode())
    | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=20)
)
def test_any_file_is_a_document_or_an_error_with_its_line(file: Path, content: bytes) -> None:
    with contextlib.suppress(DocumentError):
        assert isinstance(read(file, content), _Table)
