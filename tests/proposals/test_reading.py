"""Records become proposals: what is read, what is left out and told; one bad record harms no other (A1, G2)."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.proposals import Proposal, Visit
from daas_hub.proposals.fields import FieldMap
from daas_hub.proposals.model import PROPOSAL_ID, LeftOut
from daas_hub.proposals.reading import (
    Reading,
    beamlines_of,
    directories_of,
    gid_of,
    number_of,
    read_proposals,
    text_of,
    time_of,
)

#: A source whose records have our own words, with visits in them.
NESTED = FieldMap(
    {
        "id": "id",
        "title": "title",
        "abstract": "abstract",
        "beamlines": "beamlines",
        "group": "group",
        "visits": "visits",
    }
    | {f"visit.{word}": word for word in ("number", "name", "title", "beamline", "start", "end", "data")}
)
#: A source in which every record is a visit.
FLAT = FieldMap(dict(NESTED.paths) | {"visits": "", "title": "title", "visit.title": ""})
GOOD = {"id": "MA-1", "title": "Glass", "visits": [{"number": 1}]}


def read(*records: Any, fields: FieldMap = NESTED) -> Reading:
    return read_proposals(records, fields, group_ids={"ma-1": 26001})


def test_a_proposal_with_all_it_has() -> None:
    visit = {
        "number": "S0011",
        "name": "S0011",
        "title": " Reference ",
        "beamline": "ID21",
        "start": "2026-03-09T08:00:00Z",
        "end": "2026-03-10T09:00:00+02:00",
        "data": ["/data/a", "/data/b"],
    }
    record = {"id": "MA-1", "title": "Glass", "abstract": "Old", "beamlines": "ID21, ID22", "group": "26001"}
    reading = read(record | {"visits": [visit], "unknown": {"to": "us"}})
    start = datetime.datetime(2026, 3, 9, 8, tzinfo=datetime.UTC)
    end = datetime.datetime(2026, 3, 10, 7, tzinfo=datetime.UTC)
    told = Visit(11, "Reference", "ID21", start, end, ("/data/a", "/data/b"), "S0011")
    assert reading == Reading((Proposal("MA-1", "Glass", "Old", ("ID21", "ID22"), (told,), 26001),), ())


def test_a_proposal_with_next_to_nothing() -> None:
    """Its id is its title, and a visit's name that is its number is none."""
    assert read({"id": 20260101, "visits": [{"number": 1, "name": "1"}]}).proposals == (
        Proposal("20260101", "20260101", visits=(Visit(1),)),
    )


def test_records_of_one_id_are_one_proposal() -> None:
    """The ESRF's catalogue has a record for each visit."""
    reading = read(
        {"id": "MA-1", "title": "Glass", "number": 101, "beamline": "ID21", "group": None},
        {"id": "MA-2", "number": 7},
        {"id": "MA-1", "title": "Other words", "number": 102, "beamline": "ID22", "group": 26001},
        {"id": "MA-1", "number": 101, "beamline": "ID21"},
        fields=FLAT,
    )
    assert reading.problems == ()
    visits = (Visit(101, beamline="ID21"), Visit(102, beamline="ID22"))
    assert reading.proposals[0] == Proposal("MA-1", "Glass", "", ("ID21", "ID22"), visits, 26001)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "../x",
            "..",
            ".",
            "",
            "/etc",
            "MA-1/../x",
            "MA-1//x",
            "MA-1/",
            "MA 1",
            "MA-1\n",
            "-rf",
            "p:1",
            "{x}",
            "p" * 65,
            "ｐ１",
            "p\u202e1",
        ),
        *(None, True, 1.5, [], {}, {"id": "MA-1"}, -1),
    ],
)
def test_a_hostile_id_is_left_out_and_the_rest_stays(value: Any) -> None:
    """A1 to A4."""
    reading = read({"id": value, "title": "x"}, GOOD)
    assert [one.id for one in reading.proposals] == ["MA-1"]
    (problem,) = reading.problems
    assert problem.startswith("a record has no usable id")
    assert problem.isprintable()
    assert len(problem) < 200


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        pytest.param("MA-2", "not an object", id="a text for a record"),
        pytest.param(None, "not an object", id="null for a record"),
        pytest.param({"id": "MA-2", "group": 0}, "MA-2 was left out: its group is 0", id="B1 root's group"),
        pytest.param({"id": "MA-2", "group": "0"}, "its group is 0", id="B1 root's group as text"),
        pytest.param({"id": "MA-2", "group": True}, "its group is True", id="B1 true is no group"),
        pytest.param({"id": "MA-2", "group": -5}, "its group is -5", id="a negative group"),
        pytest.param({"id": "MA-2", "group": 2**32 - 1}, "its group is", id="the kernel's no group"),
        pytest.param({"id": "MA-2", "group": "wheel"}, "not one of the account's groups", id="B6 another's group"),
        pytest.param({"id": "ma-1"}, "differs only in case", id="A4 a twin"),
    ],
)
def test_an_unusable_proposal_is_left_out_and_reported(record: Any, problem: str) -> None:
    reading = read(
        record, GOOD | {"id": "MA-9"}, *([GOOD] if isinstance(record, dict) and record["id"] == "ma-1" else [])
    )
    assert [one.id for one in reading.proposals] == ["MA-9"]
    assert problem in reading.problems[0]


def test_a_record_that_does_not_fill_a_template() -> None:
    """A field in a template is not a text: the record is left out, and the others stay."""
    fields = FieldMap(dict(NESTED.paths) | {"title": "{a} {b}"})
    reading = read({"id": "MA-1", "a": {"en": "x"}, "b": 1}, {"id": "MA-9", "a": "x", "b": 1}, fields=fields)
    assert [(one.id, one.title) for one in reading.proposals] == [("MA-9", "x 1")]
    assert reading.left_out == (LeftOut("MA-1", "a is not a string"),)


def test_records_that_disagree_about_the_group() -> None:
    reading = read({"id": "MA-1", "group": 26001}, {"id": "MA-1", "group": 26002}, GOOD | {"id": "MA-9"})
    assert [one.id for one in reading.proposals] == ["MA-9"]
    assert "26001 and 26002" in reading.problems[0]


@pytest.mark.parametrize(
    ("visit", "problem"),
    [
        pytest.param("S1", "not an object", id="a text for a visit"),
        pytest.param({}, "None has no number", id="no number"),
        pytest.param({"number": -1}, "has no number", id="negative"),
        pytest.param({"number": 2**31}, "has no number", id="J3 too high"),
        pytest.param({"number": "9" * 64}, "has no number", id="J3 far too high"),
        pytest.param({"number": True}, "has no number", id="true"),
        pytest.param({"number": "S"}, "has no number", id="a name without digits"),
        pytest.param({"number": "1\n"}, "has no number", id="a number with a line break"),
        pytest.param({"number": "S1\n"}, "has no number", id="a name with a line break"),
        pytest.param({"number": "S１"}, "has no number", id="digits of another script"),
        pytest.param({"number": 2, "data": "data/x"}, "not an absolute path", id="A5 a relative path"),
        pytest.param({"number": 2, "data": 7}, "not an absolute path", id="G2 a number for a path"),
        pytest.param({"number": 2, "data": "/data/\n/etc"}, "not an absolute path", id="A5 two lines"),
        pytest.param({"number": 2, "data": {"path": "/data"}}, "not an absolute path", id="G2 an object for a path"),
    ],
)
def test_an_unusable_visit_is_left_out_and_reported(visit: Any, problem: str) -> None:
    """No silent default: somebody else's directories would be worse than none."""
    reading = read({"id": "MA-1", "visits": [visit, {"number": 1}]})
    assert reading.proposals[0].visits == (Visit(1),)
    assert reading.problems[0].startswith("MA-1: a visit was left out: ")
    assert problem in reading.problems[0]


def test_two_visits_of_one_number_are_both_left_out() -> None:
    """F13: whose data would it be? One that stands there twice, letter by letter, is one."""
    visits = [{"number": "S1"}, {"number": "T1"}, {"number": 2}, {"number": 2}]
    for visit in visits:
        visit["name"] = visit["number"]
    reading = read({"id": "MA-1", "visits": visits})
    assert [visit.number for visit in reading.proposals[0].visits] == [2]
    assert "numbered 1 were left out" in reading.problems[0]


@pytest.mark.parametrize(
    "value",
    [
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1753-01-01"),
        *("2026-13-01T00:00:00Z", "yesterday", 1, True, {"year": 2026}, {"year": 0, "month": 1, "day": 1}),
    ],
)
def test_an_invalid_time_is_reported_and_the_visit_kept(value: Any) -> None:
    reading = read({"id": "MA-1", "visits": [{"number": 1, "start": value}]})
    assert reading.proposals[0].visits == (Visit(1),)
    assert "visit 1" in reading.problems[0]


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        pytest.param("2018-10-10T10:30:00Z", "2018-10-10T10:30:00+00:00", id="CALIPSOplus"),
        pytest.param("2018-10-10T10:30:00+02:00", "2018-10-10T10:30:00+02:00", id="with an offset"),
        pytest.param("2024-05-01T08:00:00.000+02:00", "2024-05-01T08:00:00+02:00", id="ICAT"),
        pytest.param("2018-10-10 10:30", "2018-10-10T10:30:00+00:00", id="CSV import: naive"),
        pytest.param("2018-10-10", "2018-10-10T00:00:00+00:00", id="a day"),
        pytest.param({"year": 2018, "month": 10, "day": 10}, "2018-10-10T00:00:00+00:00", id="CALIPSOplus' other form"),
    ],
)
def test_times(value: Any, moment: str) -> None:
    assert time_of(value) == datetime.datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    ("value", "gid"),
    [(26001, 26001), ("26001", 26001), ("ma-1", 26001), (None, None), ("", None), (".", None)],
)
def test_groups(value: Any, gid: int | None) -> None:
    assert gid_of(value, {"ma-1": 26001}) == gid


def test_a_group_of_digits_is_the_one_that_the_source_means() -> None:
    """A gid of another team would get the directory."""
    groups = {"20261234": 26001, "ma-1": 26002}
    assert gid_of("20261234", groups, is_name=True) == 26001
    assert gid_of("26002", {"26002": 26002}) == 26002
    with pytest.raises(ValueError, match="not one of the account's groups"):
        gid_of("26002", groups, is_name=True)
    with pytest.raises(ValueError, match="is a gid, or the name of the group 26001"):
        gid_of("20261234", groups)


def test_what_is_left_out_is_shown_to_its_owner() -> None:
    """With the id, in words that can be shown; a title that lacks a character is not left out."""
    reading = read(
        {"id": "../x", "title": "hostile"},
        {"id": "MA-2", "group": "strangers"},
        {
            "id": "MA-3",
            "title": "cut \ufffd",
            "visits": [{"number": "none"}, {"number": 1}, {"number": 1, "name": "b"}],
        },
        {"title": "without"},
        GOOD,
    )
    assert reading.left_out == (
        LeftOut("../x", "its id cannot be used by this portal"),
        LeftOut("MA-3", "a visit was left out: 'none' has no number from 0 to 2147483647"),
        LeftOut("a proposal without a number", "its id cannot be used by this portal"),
        LeftOut("MA-2", "its group 'strangers' is not one of the account's groups"),
        LeftOut("MA-3", "the visits numbered 1 were left out: the number is not unique"),
    )
    assert "MA-3: its title lacks a part of a character; U+FFFD is shown instead" in reading.problems


def test_group_names_are_matched_ignoring_case() -> None:
    """Catalogues write MA-1 where the Unix group is ma-1; two that differ in capitals alone are not mixed up."""
    assert gid_of("MA-1", {"ma-1": 26001}) == 26001
    assert gid_of("MA-1", {"ma-1": 26001, "MA-1": 26002}) == 26002
    with pytest.raises(ValueError, match="not one of the account's groups"):
        gid_of("Ma-1", {"ma-1": 26001, "MA-1": 26002})


def test_small_readers() -> None:
    assert beamlines_of(["BL11, BL13", "BL14", 7, None]) == ["BL11", "BL13", "BL14"]
    assert (number_of(7), number_of("7"), number_of("S0011"), number_of("mx12345-7")) == (7, 7, 11, 7)
    assert (text_of("x" * 2000, 10), text_of(7, 10), text_of(None, 10), text_of(True, 10)) == ("x" * 10, "7", "", "")
    assert directories_of(["/a", "/b", "/a"]) == ("/a", "/b")


def test_a_flood_of_problems_is_cut() -> None:
    reading = read(*({"id": f"../{number}"} for number in range(1000)), GOOD)
    assert len(reading.proposals) == 1
    assert len(reading.problems) == 21
    assert reading.problems[-1] == "and 980 more problems"


WORDS = [*NESTED.paths, *(way.removeprefix("visit.") for way in NESTED.paths)]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(NESTED.paths)), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(st.lists(anything, max_size=4))
def test_any_record_is_read_or_reported(records: list[Any]) -> None:
    """G2: no record makes the reader fail, and what it gives can stand in a path, a page and a log line."""
    reading = read(*records, GOOD | {"id": "always-there"})
    assert "always-there" in [one.id for one in reading.proposals]
    assert all(PROPOSAL_ID.fullmatch(one.id) for one in reading.proposals)
    assert all(problem.isprintable() for problem in reading.problems)
