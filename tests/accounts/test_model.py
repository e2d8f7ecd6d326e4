"""The hub's name of a person: opaque, stable, injective; and what is kept of an identity (C1, C2, F7)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.accounts import Identity

ISSUER = "https://login.example.org/realms/users"


def test_the_name_is_the_same_for_ever() -> None:
    """A golden value: were it to change, everybody would lose their sessions."""
    assert Identity(ISSUER, "anna").hub_name == "u2ahvttvwoxrcnk6t"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param((ISSUER, "anna"), (ISSUER, "Anna"), id="C1 capitals"),
        pytest.param((ISSUER, "anna"), (ISSUER, "anna "), id="C1 blank"),
        pytest.param((ISSUER, "anna"), (ISSUER, "аnna"), id="C1 Cyrillic a"),
        pytest.param((ISSUER, "\u00e9"), (ISSUER, "e\u0301"), id="C1 composed and not"),
        pytest.param((ISSUER, "ﬁ"), (ISSUER, "fi"), id="C1 ligature"),
        pytest.param((ISSUER, "ı"), (ISSUER, "i"), id="C1 dotless i"),
        pytest.param((ISSUER, "1"), (ISSUER, "１"), id="C1 full-width"),
        pytest.param((ISSUER, "anna"), (ISSUER + "/", "anna"), id="F7 same subject, other issuer"),
        pytest.param((ISSUER, "anna"), (ISSUER[:-1], "sanna"), id="the border between issuer and subject"),
    ],
)
def test_two_subjects_never_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert Identity(*one).hub_name != Identity(*other).hub_name


@pytest.mark.parametrize("subject", ["admin", "root", "..", "user/x", "$(id)", "a" * 255, "💥", "\n"])
def test_a_chosen_subject_is_never_seen_in_the_name(subject: str) -> None:
    """C2: nothing a person could choose is in it, so nobody can be `admin` or a path."""
    assert re.fullmatch(r"u[a-z2-7]{16}", Identity(ISSUER, subject).hub_name)


def test_the_display_name_is_not_part_of_it() -> None:
    """F7: a name or an address that changes to a colleague's changes nothing."""
    assert Identity(ISSUER, "anna", "Anna").hub_name == Identity(ISSUER, "anna", "Ben").hub_name


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(texts, texts, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_state_round_trips_through_json(issuer: str, subject: str, name: str) -> None:
    identity = Identity(issuer, subject, name)
    assert Identity.from_state(json.loads(json.dumps(identity.as_state()))) == identity


@given(texts, texts, texts, texts)
def test_the_name_is_injective(issuer: str, subject: str, other_issuer: str, other_subject: str) -> None:
    same = (issuer, subject) == (other_issuer, other_subject)
    without_nul = "\0" not in issuer + subject + other_issuer + other_subject
    if without_nul:
        assert (Identity(issuer, subject).hub_name == Identity(other_issuer, other_subject).hub_name) == same


@pytest.mark.parametrize(
    "state",
    [None, "", [], {}, {"issuer": ISSUER}, {"subject": "anna"}, {"issuer": "", "subject": "anna"}, 7, [ISSUER, "anna"]],
)
def test_what_is_no_state_is_nobody(state: Any) -> None:
    assert Identity.from_state(state) is None


def test_a_token_is_kept_and_never_shown() -> None:
    """L3: it is the provider's, for services that let a person in by it; whoever holds it is no other person."""
    identity = Identity(ISSUER, "anna", "Anna", access_token="TOKEN")
    assert Identity.from_state(json.loads(json.dumps(identity.as_state()))).access_token == "TOKEN"  # type: ignore[union-attr]
    assert "TOKEN" not in repr(identity)
    assert identity == Identity(ISSUER, "anna", "Anna")
    assert "access_token" not in Identity(ISSUER, "anna").as_state()


def test_claims_are_kept_with_the_identity_and_are_not_the_key() -> None:
    """What a look-up reads comes back from the encrypted state; the hub's name does not depend on it."""
    claims = {"uidNumber": 25001, "groups": ["staff"]}
    identity = Identity(ISSUER, "anna", "Anna", claims=claims, received_at=1_700_000_000.0)
    state = json.loads(json.dumps(identity.as_state()))
    assert Identity.from_state(state) == identity
    read = Identity.from_state(state)
    assert read is not None
    assert read.received_at == 1_700_000_000.0
    assert identity.hub_name == Identity(ISSUER, "anna").hub_name
    assert set(Identity(ISSUER, "anna").as_state()) == {"issuer", "subject", "display_name"}


@pytest.mark.parametrize("claims", [None, "", [], 7, "uidNumber"])
def test_invalid_claims(claims: Any) -> None:
    identity = Identity.from_state({"issuer": ISSUER, "subject": "anna", "claims": claims, "received_at": claims})
    assert identity is not None
    assert identity.claims == {}
