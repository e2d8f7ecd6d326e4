"""Templates of directories: what each facility's layout needs (docs/how-to/where-the-data-are.md).

A1 to A5 of the threat model: what a catalogue or a person chose never becomes part of the template.
"""

from __future__ import annotations

import datetime
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.errors import ErrorKind, StorageProblem
from daas_hub.launch.paths import FIELDS, PLAIN, Template, directory_name

START = datetime.datetime(2026, 3, 9, 8, tzinfo=datetime.UTC)
VALUES: dict[str, str | datetime.datetime | None] = {
    "proposal": "MX-2633",
    "visit": "mx2633-7",
    "number": "7",
    "beamline": "ID30A-1",
    "account": "anna",
    "uid": "25001",
    "start": START,
    "end": START + datetime.timedelta(days=120),
    "path": "/gpfs/a b/MX-2633",
}


@pytest.mark.parametrize(
    ("template", "path"),
    [
        pytest.param(
            "/data/visitor/{proposal|lower|nodash}/{beamline|lower|nodash}/{start|date}",
            "/data/visitor/mx2633/id30a1/20260309",
            id="ESRF",
        ),
        pytest.param(
            "/asap3/petra3/gpfs/{beamline|lower}/{start|year}/data/{proposal}",
            "/asap3/petra3/gpfs/id30a-1/2026/data/MX-2633",
            id="DESY",
        ),
        pytest.param(
            "/beamlines/{beamline|lower}/projects/cycle{start|year}-{start|cycle}/{proposal|digits}_*",
            "/beamlines/id30a-1/projects/cycle2026-I/2633_*",
            id="ALBA",
        ),
        pytest.param("/das/work/{proposal[0:3]}/{proposal}", "/das/work/MX-/MX-2633", id="PSI"),
        pytest.param("/sls/e{proposal[3:]}", "/sls/e2633", id="the rest of an id"),
        pytest.param("/nfs/Run*/*_{proposal|digits}", "/nfs/Run*/*_2633", id="SOLEIL"),
        pytest.param("/dls/{beamline[0:2]|lower}/{start|year}/{visit}", "/dls/id/2026/mx2633-7", id="DIAMOND"),
        pytest.param("/d/{end|year}-{end|cycle}/{end|month}{end|day}", "/d/2026-II/0707", id="the end"),
        pytest.param("/d/{start|date:%Y_%m-%d.%j}", "/d/2026_03-09.068", id="a form of its own"),
        pytest.param("/d/{proposal|letters|lower}", "/d/mx", id="filters from left to right"),
        pytest.param("{path}/raw", "/gpfs/a b/MX-2633/raw", id="told by the catalogue"),
        pytest.param("/d/{number}/{uid}/{account}", "/d/7/25001/anna", id="numbers"),
    ],
)
def test_layouts(template: str, path: str) -> None:
    assert str(Template.read(template).fill(VALUES)) == path


@pytest.mark.parametrize(
    ("template", "fixed"),
    [
        ("/data/visitor/{proposal}", "/data/visitor"),
        ("/beamlines/bl13/projects/cycle*/{proposal}-*", "/beamlines/bl13/projects"),
        ("/a/b{proposal}/c", "/a"),
        ("/opt/tools", "/opt/tools"),
    ],
)
def test_what_the_administrator_wrote_is_trusted(template: str, fixed: str) -> None:
    assert str(Template.read(template).fixed_part) == fixed


@pytest.mark.parametrize(
    ("template", "loses"),
    [
        ("/d/{proposal}", False),
        ("/d/{proposal|lower|nodash}", False),
        ("/d/{proposal[0:3]}/{proposal}", False),
        ("/d/{proposal[1:]}", True),
        ("/d/{proposal|digits}", True),
        ("/d/{proposal|last}", True),
        ("/d/{visit}", False),
        ("/d/{number}/{proposal|digits}", True),
        ("/d/{visit}/{proposal|digits}", True),
    ],
)
def test_whether_two_proposals_may_share_a_directory(template: str, loses: bool) -> None:
    assert Template.read(template).loses is loses


@pytest.mark.parametrize(
    ("template", "proposal"),
    [
        ("/d/{proposal}-*", "2022-5"),
        ("/d/*_{proposal}", "a_b"),
        ("/d/x*--{proposal}", "a--b"),
        ("/d/{proposal}.*", "MA.1"),
    ],
)
def test_an_id_with_the_separator_of_its_pattern_is_refused(template: str, proposal: str) -> None:
    """ "12-*" would also be the directory of proposal 12-5."""
    with pytest.raises(StorageProblem, match="mistaken"):
        Template.read(template).fill(VALUES | {"proposal": proposal})


@pytest.mark.parametrize("template", ["/d/{proposal}_*", "/d*/{proposal}", "/d/{proposal}/*-x"])
def test_an_id_without_it_is_not(template: str) -> None:
    Template.read(template).fill(VALUES)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("start", "{start|year}", None),
        ("end", "{end|date}", None),
        ("beamline", "{beamline}", None),
        ("beamline", "{beamline}", ""),
        ("visit", "{visit|lower}", ""),
    ],
)
def test_a_visit_without_what_its_directory_is_named_after(name: str, field: str, value: str | None) -> None:
    with pytest.raises(StorageProblem):
        Template.read(f"/data/{{proposal}}/{field}").fill(VALUES | {name: value})


@pytest.mark.parametrize(
    "value", ["..", "a/b", "", "a b", "{uid}", "*", "a*", "\n", "x" * 65, "-a", ".a", "a..b", "ä", "a:b", "$(id)", "\0"]
)
@pytest.mark.parametrize("filters", ["", "|lower", "|nodash", "|digits", "[0:1]"])
def test_no_filter_makes_a_hostile_value_plain(value: str, filters: str) -> None:
    """A1 to A5: "a/b" with {proposal|letters} would be the directory of ab."""
    with pytest.raises(StorageProblem):
        Template.read("/data/{proposal" + filters + "}/x").fill(VALUES | {"proposal": value})


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/d/{proposal}", "/d/20.500.11935+2026-0123"),
        ("/d/{proposal|lower|nodash}", "/d/20.500.11935+20260123"),
        ("/d/{proposal|last}", "/d/2026-0123"),
        ("/d/{beamline|last|lower}", "/d/tomcat"),
    ],
)
def test_ids_and_instruments_with_slashes(template: str, path: str) -> None:
    """Two ids never share a directory: a slash becomes what no id has."""
    values = {"proposal": directory_name("20.500.11935/2026-0123"), "beamline": "/PSI/SLS/TOMCAT"}
    assert str(Template.read(template).fill(VALUES | values)) == path


@pytest.mark.parametrize("value", ["a+", "+a", "a++b", "a+..+b", "a+.b", "+"])
def test_a_separator_is_between_two_parts(value: str) -> None:
    with pytest.raises(StorageProblem):
        Template.read("/d/{proposal}").fill(VALUES | {"proposal": value})


def test_a_separator_is_for_ids_only() -> None:
    with pytest.raises(StorageProblem):
        Template.read("/d/{visit}").fill(VALUES | {"visit": "a+b"})


@given(st.from_regex(r"[A-Za-z0-9]{1,20}", fullmatch=True) | st.text(max_size=40))
def test_a_filled_path_has_as_many_components_as_its_template(value: str) -> None:
    """Whatever the value is: nothing goes up, nothing goes deeper, nothing is left unfilled."""
    template = Template.read("/data/visitor/{proposal|lower}/{beamline}/x")
    try:
        path = template.fill(VALUES | {"proposal": value, "beamline": value})
    except StorageProblem:
        assert not (value.isascii() and value.isalnum()), "a plain value fills it"
    else:
        assert len(path.parts) == 6
        assert path.parts[:3] == ("/", "data", "visitor")
        assert all(PLAIN.fullmatch(part.replace("+", "x")) for part in path.parts[1:])


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("d/{proposal}", "not an absolute path"),
        ("{proposal}/x", "not an absolute path"),
        ("{account}/x", "not an absolute path"),
        ("{uid}/x", "not an absolute path"),
        ("", "not an absolute path"),
        ("/d/{nope}", "unknown field"),
        ("/d/{}", "unknown field"),
        ("/d/{Proposal}", "unknown field"),
        ("/d/}", "a brace outside"),
        ("/d/{", "a brace outside"),
        ("/d/**/x", "not supported"),
        ("/d/../x", "without '..'"),
        ("/d/a..b/x", "without '..'"),
        ("/d/{path}", "in the middle"),
        ("{path}raw", "in the middle"),
        ("{path}{visit}", "in the middle"),
        ("{path}/a/{path}", "in the middle"),
        ("{path|lower}", "used unchanged"),
        ("{path[1:]}", "used unchanged"),
        ("/d/{proposal|bogus}", "'bogus'"),
        ("/d/{proposal|lower|bogus|worse}", "'bogus'"),
        ("/d/{start}", "which part"),
        ("/d/{start|lower}", "which part"),
        ("/d/{start|year|month}", "which part"),
        ("/d/{start|lower|year}", "which part"),
        ("/d/{start|upper|date}", "which part"),
        ("/d/{start|year|bogus}", "which part"),
        ("/d/{start|date:%H}", "which part"),
        ("/d/{proposal[3:3]}", "empty slice"),
        ("/d/{proposal[3:2]}", "empty slice"),
        ("/d/*{proposal}", "right next to {proposal}"),
        ("/d/{proposal}*", "right next to {proposal}"),
        ("/d/{proposal}/x_{visit}*/y", "right next to {visit}"),
        ("/d/{proposal}/*{visit}/y", "right next to {visit}"),
    ],
)
def test_template_that_cannot_be_used_says_why(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Template.read(template)


@pytest.mark.parametrize("template", ["{path}", "{path}/raw", "/d/{proposal}/x*-{visit}-*/y", "/d/x*/{proposal}"])
def test_template_that_can(template: str) -> None:
    assert Template.read(template).text == template


@pytest.mark.parametrize(
    ("template", "name", "value"),
    [
        ("/a/{beamline}/x*_{proposal}/y", "proposal", "a_b"),
        ("/a/{beamline}/{proposal}-*/y", "proposal", "a-b"),
        ("/a/{beamline}-*/{proposal}", "beamline", "a-b"),
        ("/a/{account}/{number}-*", "number", "1-2"),
    ],
)
def test_any_field_with_the_separator_of_its_pattern_is_refused(template: str, name: str, value: str) -> None:
    with pytest.raises(StorageProblem, match=f"The {name} of this launch is ambiguous"):
        Template.read(template).fill(VALUES | {name: value})


def test_separators_on_both_sides_are_fine() -> None:
    assert str(Template.read("/d/x*-{proposal}-*").fill(VALUES | {"proposal": "MA1"})) == "/d/x*-MA1-*"


@pytest.mark.parametrize(("month", "cycle"), [(1, "I"), (6, "I"), (7, "II"), (12, "II")])
def test_half_years_of_proposals(month: int, cycle: str) -> None:
    assert str(Template.read("/d/{start|cycle}").fill({"start": START.replace(month=month)})) == f"/d/{cycle}"


def test_slice_from_the_beginning() -> None:
    assert str(Template.read("/d/{proposal[:3]}").fill({"proposal": "MX2633"})) == "/d/MX2"


@pytest.mark.parametrize(
    ("field", "words", "kind"),
    [
        ("{start|year}", "visit has no date", ErrorKind.MISSING_DATE),
        ("{beamline}", "launch has no beamline", ErrorKind.MISSING_VALUE),
    ],
)
def test_what_is_missing_is_named(field: str, words: str, kind: ErrorKind) -> None:
    with pytest.raises(StorageProblem, match=words) as refused:
        Template.read(f"/d/{field}").fill({})
    assert refused.value.kind is kind


@given(st.text(alphabet=string.ascii_letters + "{}|[]:*/.%_-0123456789", max_size=60))
def test_reading_never_breaks(text: str) -> None:
    """A template is read, or refused with what to do; and what was read knows only our fields."""
    try:
        template = Template.read(text)
    except ValueError as error:
        message, remedy = error.args
        assert message
        assert remedy.endswith(".")
    else:
        assert template.names <= set(FIELDS)
        assert "".join(part if isinstance(part, str) else "" for part in template.parts).count("{") == 0
