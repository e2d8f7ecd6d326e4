"""Where answers are kept: bounded in number, in proposals and in age (D3, G5)."""

from __future__ import annotations

import pytest

from daas_hub.accounts import Account
from daas_hub.proposals.answers import AnswerStore, StoredAnswer

ANNA, BEN = Account("anna", 25001, 25001), Account("ben", 25002, 25002)


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> AnswerStore[str]:
    return AnswerStore(max_answers=3, max_proposals=10, max_age_s=60, clock=clock)


def put(store: AnswerStore[str], clock: Clock, **sizes: int) -> None:
    for question, size in sizes.items():
        store.put(question, StoredAnswer(clock.now, question, size))


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        pytest.param({"a": 1, "b": 1, "c": 1}, "abc", id="within both limits"),
        pytest.param({"a": 1, "b": 1, "c": 1, "d": 1}, "bcd", id="too many answers"),
        pytest.param({"a": 0, "b": 0, "c": 0, "d": 0}, "bcd", id="too many answers without proposals"),
        pytest.param({"a": 5, "b": 5}, "ab", id="exactly as many proposals as allowed"),
        pytest.param({"a": 5, "b": 5, "c": 1}, "bc", id="too many proposals"),
        pytest.param({"a": 1, "b": 1, "c": 9}, "bc", id="as many are dropped as are needed"),
        pytest.param({"a": 1, "b": 1, "c": 11}, "c", id="an answer above the limit is kept alone"),
        pytest.param({"a": 11, "b": 1}, "b", id="and dropped for the next one"),
    ],
)
def test_limits(store: AnswerStore[str], clock: Clock, sizes: dict[str, int], kept: str) -> None:
    put(store, clock, **sizes)
    assert [question for question in "abcd" if store.get(question)] == list(kept)


def test_the_least_recently_used_answer_is_dropped(store: AnswerStore[str], clock: Clock) -> None:
    put(store, clock, a=1, b=1, c=1)
    assert store.get("a")
    put(store, clock, d=1)
    assert store.get("b") is None
    assert store.get("a")


def test_an_answer_replaces_the_one_before(store: AnswerStore[str], clock: Clock) -> None:
    put(store, clock, a=9, b=1)
    store.put("a", StoredAnswer(clock.now, "new", 1))
    put(store, clock, c=8)
    answers = [store.get(question) for question in "abc"]
    assert [answer and answer.value for answer in answers] == ["new", "b", "c"]


@pytest.mark.parametrize(("age", "kept"), [(60, True), (62, False), (-3600, True)])
def test_an_answer_leaves_the_store_when_nobody_may_use_it(
    store: AnswerStore[str], clock: Clock, age: float, kept: bool
) -> None:
    put(store, clock, a=1)
    clock.now += age
    assert (store.get("a") is not None) is kept


def test_parts_of_one_account_are_discarded(store: AnswerStore[str], clock: Clock) -> None:
    for question in (ANNA, (ANNA, "P-1"), (BEN, "P-1")):
        store.put(question, StoredAnswer(clock.now, "", 1))
    store.discard_parts(ANNA)
    assert [store.get(question) is not None for question in (ANNA, (ANNA, "P-1"), (BEN, "P-1"))] == [True, False, True]
