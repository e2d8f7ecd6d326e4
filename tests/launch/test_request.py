"""The only parser of what a user asks for: any JSON or form is a checked request, or refused in words (D2, J3)."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.errors import BadRequest
from daas_hub.launch import LaunchRequest, has_temporary_home

GOOD = {"application": "pymca", "proposal": "MA-4242", "visit": 2, "size": "small"}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"application": "pymca"}, id="own resource (ES44)"),
        pytest.param({"application": "pymca", "size": "large"}, id="own resource of a size"),
        pytest.param({"application": "pymca", "proposal": "MA-4242"}, id="proposal"),
        pytest.param({"application": "pymca", "proposal": "MA-4242", "visit": 9999}, id="visit"),
        pytest.param({"application": "pymca", "proposal": "MA-4242", "visit": 1}, id="first visit"),
        pytest.param(
            {"application": "pymca", "proposal": "MA-4242", "visit": 2**31 - 1}, id="a catalogue's own number"
        ),
        pytest.param(GOOD, id="everything"),
        pytest.param({"application": "pymca", "temporary_home": True}, id="temporary home"),
        pytest.param(GOOD | {"temporary_home": True}, id="everything, and a temporary home"),
        pytest.param({"application": "a" * 32, "proposal": "A" * 64}, id="longest names"),
    ],
)
def test_well_formed(options: dict[str, Any]) -> None:
    request = LaunchRequest.from_json(options)
    assert request.as_json() == options
    assert LaunchRequest.from_json(request.as_json()) == request


def test_none_is_as_good_as_not_said() -> None:
    assert LaunchRequest.from_json(
        {"application": "pymca", "proposal": None, "visit": None, "size": None, "temporary_home": None}
    ).as_json() == {"application": "pymca"}


HOSTILE_IDS = [
    pytest.param("", id="A1 empty"),
    pytest.param(".", id="A1 dot"),
    pytest.param("..", id="A1 dot dot"),
    pytest.param("../p2", id="A1 up"),
    pytest.param("..%2fp2", id="A1 up, escaped"),
    pytest.param("%2e%2e", id="A1 dots, escaped"),
    pytest.param("p1/../../etc", id="A1 up from inside"),
    pytest.param("/etc", id="A1 absolute"),
    pytest.param("p1//", id="A1 slashes"),
    pytest.param("p1\x00", id="A2 NUL"),
    pytest.param("p1\n", id="A2 newline at the end"),
    pytest.param("p1\nroot", id="A2 newline"),
    pytest.param("p1\r", id="A2 carriage return"),
    pytest.param("p1\t", id="A2 tab"),
    pytest.param("\x1b[31mp1", id="A2 escape"),
    pytest.param("p\u202e1", id="A2 right-to-left"),
    pytest.param("p\u200b1", id="A2 zero width"),
    pytest.param("p\u03011", id="A2 combining mark"),
    pytest.param("p\ud8001", id="A2 half a surrogate"),
    pytest.param("p" * 65, id="A2 too long"),
    pytest.param("p" * 10_000, id="A2 10 kB"),
    *(pytest.param(f"p{letter}1", id=f"A3 {letter!r}") for letter in ":,{}$`;'\"\\ @&|<>*?[]()#~^=+!%"),
    pytest.param("-rf", id="A3 leading dash"),
    pytest.param(".hidden", id="A3 leading dot"),
    pytest.param("_p1", id="A3 leading underscore"),
    pytest.param(" p1", id="A4 leading blank"),
    pytest.param("p1 ", id="A4 trailing blank"),
    pytest.param("\uff50\uff11", id="A4 full-width"),
    pytest.param("ｐ１", id="A4 full-width digits"),
    pytest.param("pı", id="A4 dotless i"),
    pytest.param(4242, id="number"),
    pytest.param(True, id="true"),
    pytest.param(["p1"], id="list"),
    pytest.param({"$ne": ""}, id="G4 operator"),
]


@pytest.mark.parametrize("proposal", HOSTILE_IDS)
def test_hostile_proposal_ids(proposal: Any) -> None:
    with pytest.raises(BadRequest, match="proposal's id"):
        LaunchRequest.from_json({"application": "pymca", "proposal": proposal})


@pytest.mark.parametrize("key", ["application", "size"])
@pytest.mark.parametrize("value", [*HOSTILE_IDS, pytest.param("PyMca", id="capitals"), pytest.param("a.b", id="dot")])
def test_hostile_names(key: str, value: Any) -> None:
    with pytest.raises(BadRequest):
        LaunchRequest.from_json({"application": "pymca", key: value})


@pytest.mark.parametrize(
    "visit",
    [
        pytest.param(-1, id="J3 negative"),
        pytest.param(2**31, id="J3 beyond the highest"),
        pytest.param(2**64 + 1, id="J3 huge"),
        pytest.param(10**5000, id="J3 longer than Python prints"),
        pytest.param(1.0, id="float"),
        pytest.param(float("nan"), id="not a number"),
        pytest.param(float("inf"), id="infinite"),
        pytest.param("1", id="text in JSON"),
        pytest.param(True, id="true is not visit 1"),
        pytest.param([1], id="list"),
    ],
)
def test_hostile_visits(visit: Any) -> None:
    with pytest.raises(BadRequest, match="visit"):
        LaunchRequest.from_json({"application": "pymca", "proposal": "MA-4242", "visit": visit})


@pytest.mark.parametrize(
    "key",
    [
        "image",
        "mounts",
        "volumes",
        "uid",
        "gid",
        "account",
        "cmd",
        "args",
        "env",
        "environment",
        "privileged",
        "partition",
        "cpu",
        "memory",
        "path",
        "__class__",
        "__proto__",
        "Application",
        "application ",
        "visit\0",
    ],
)
def test_forged_keys(key: str) -> None:
    """D2: an option nobody offers is refused even if its value is empty."""
    for value in ("x", None, "", {}):
        with pytest.raises(BadRequest, match="no option"):
            LaunchRequest.from_json(GOOD | {key: value})


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(None, id="null"),
        pytest.param([], id="empty list"),
        pytest.param([GOOD], id="list of one"),
        pytest.param("pymca", id="text"),
        pytest.param(7, id="number"),
        pytest.param(b"{}", id="bytes"),
        pytest.param({}, id="no application"),
        pytest.param({"proposal": "MA-4242"}, id="a proposal alone"),
        pytest.param({"application": "pymca", "visit": 1}, id="a visit without its proposal"),
        pytest.param({1: 2}, id="a key that is no text"),
        pytest.param({None: None}, id="a key that is nothing"),
        pytest.param({"<script>alert(1)</script>": 1}, id="C6 a key for the page"),
        pytest.param({"x" * 1_000_000: 1}, id="D2 a megabyte of key"),
    ],
)
def test_not_a_request(options: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        LaunchRequest.from_json(options)
    assert len(str(refused.value)) < 300, "A2: the answer does not repeat what was sent"
    assert str(refused.value).isprintable()


def test_a_refusal_shows_no_control_character() -> None:
    """C9: a key cannot write a line of the log."""
    with pytest.raises(BadRequest) as refused:
        LaunchRequest.from_json({"a\nauthorised account=root\u202e\x1b[2J": 1})
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        pytest.param({"application": "pymca"}, {"application": "pymca"}, id="own resource"),
        pytest.param(
            {"application": "pymca", "proposal": "", "visit": ""}, {"application": "pymca"}, id="empty fields"
        ),
        pytest.param({"application": "pymca", "proposal": "P-1", "visit": "0"}, {"visit": 0}, id="ISPyB's first visit"),
        pytest.param({"application": "pymca", "proposal": "20.500.1/P-1"}, {"proposal": "20.500.1/P-1"}, id="a slash"),
        pytest.param({"application": "pymca", "proposal": "P-1", "visit": "0012"}, {"visit": 12}, id="leading zeros"),
        pytest.param({"application": "pymca", "_xsrf": "x"}, {"application": "pymca"}, id="the form's own token"),
    ],
)
def test_forms(fields: dict[str, str], stored: dict[str, Any]) -> None:
    read = LaunchRequest.from_form(fields).as_json()
    assert read | stored == read


@pytest.mark.parametrize(
    "visit", ["-1", "+1", " 1", "1 ", "1\n", "１", "1_0", "0x1", "1.0", "1e1", "2147483648", "12345678901", "one", "-0"]
)
def test_hostile_form_visits(visit: str) -> None:
    with pytest.raises(BadRequest, match="visit"):
        LaunchRequest.from_form({"application": "pymca", "proposal": "MA-4242", "visit": visit})


# -- any input -----------------------------------------------------------------------------------------------------

names = st.sampled_from(["pymca", "small", "MA-4242", "a", "-", "..", ""]) | st.text(max_size=5)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
near = st.fixed_dictionaries(
    {"application": names | anything},
    optional={"proposal": names | anything, "visit": st.integers(-1, 10001) | anything, "size": names | anything},
)


@settings(max_examples=250)
@given(anything | near | st.dictionaries(names | st.integers() | st.none(), anything, max_size=3))
def test_any_json_is_a_request_or_refused(options: Any) -> None:
    with contextlib.suppress(BadRequest):
        request = LaunchRequest.from_json(options)
        assert request.as_json() == {key: value for key, value in options.items() if value is not None}
        assert LaunchRequest.from_json(json.loads(json.dumps(request.as_json()))) == request


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["application", "proposal", "visit", "size"]) | st.text(max_size=3),
        names | st.integers(-2, 10001).map(str),
        max_size=5,
    )
)
def test_any_form_is_a_request_or_refused(fields: dict[str, str]) -> None:
    with contextlib.suppress(BadRequest):
        request = LaunchRequest.from_form(fields)
        assert LaunchRequest.from_form({key: str(value) for key, value in request.as_json().items()}) == request


@pytest.mark.parametrize("value", [1, 0, "1", "true", "", [], {}])
def test_only_true_is_a_temporary_home(value: object) -> None:
    """What is stored is what was asked for; a page calls no session temporary that is not."""
    options = {"application": "pymca", "temporary_home": value}
    with pytest.raises(BadRequest, match="either true or false"):
        LaunchRequest.from_json(options)
    assert not has_temporary_home(options)


def test_a_temporary_home_in_a_form() -> None:
    fields = {"application": "pymca", "temporary_home": "1"}
    assert LaunchRequest.from_form(fields).as_json() == {"application": "pymca", "temporary_home": True}
    assert has_temporary_home(LaunchRequest.from_form(fields, ["1:MA-4242", "2:MA-4242"]).as_json())
    assert not LaunchRequest.from_form(fields | {"temporary_home": ""}).temporary_home
    for wrong in ("0", "on", "true", "11"):
        with pytest.raises(BadRequest):
            LaunchRequest.from_form(fields | {"temporary_home": wrong})
    assert not LaunchRequest.from_json({"application": "pymca", "temporary_home": False}).temporary_home
    assert "temporary_home" not in LaunchRequest.from_json({"application": "pymca"}).as_json()
    assert not has_temporary_home(None)
