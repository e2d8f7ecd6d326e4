"""The next larger size that is offered for a session whose memory was used up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from daas_hub.accounts import Account
from daas_hub.admission.offer import EVERYTHING, Offer
from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.launch import Place
from daas_hub.portal.larger_sizes import larger_size_view
from daas_hub.portal.offers import PersonalCatalogue

GIB = 2**30
#: Not in the order of their memory, as a facility may list them; the GPU's has as much as another.
SIZES = {
    name: Size(name, name.title(), memory * GIB, 1, 100, 12)
    for name, memory in {"small": 4, "huge": 64, "large": 16, "gpu": 16}.items()
}
PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, sizes=("small", "huge", "large", "gpu"))
CATALOGUE = Catalogue({"pymca": PYMCA}, SIZES)


def larger(used_up: int, *places: Place, offer: Offer = EVERYTHING, **options: Any) -> dict[str, Any] | None:
    """Return what is offered to a session of PyMca that used up so many GiB."""
    record = SimpleNamespace(user_options={"application": "pymca", **options})
    spawner = SimpleNamespace(memory_used_up=used_up * GIB, orm_spawner=record)
    return larger_size_view(spawner, PersonalCatalogue(CATALOGUE, places, Account("gina", 25001, 25001), offer))


def size_of(view: dict[str, Any] | None) -> str:
    assert view is not None
    assert view["title"] == "PyMca"
    return str(view["size"])


@pytest.mark.parametrize(("used_up", "expected"), [(4, "large"), (15, "large"), (16, "huge"), (64, "")])
def test_the_next_one_with_more_memory(used_up: int, expected: str) -> None:
    assert size_of(larger(used_up)) == expected


def test_only_what_this_person_may_choose() -> None:
    assert size_of(larger(4, offer=Offer(None, frozenset({"small", "huge"})))) == "huge"
    assert size_of(larger(4, offer=Offer(None, frozenset({"small"})))) == ""
    assert larger(4, offer=Offer(frozenset({"jupyterlab"}), None)) is None, "the application is no longer theirs"


def test_the_same_launch_with_another_size() -> None:
    view = larger(4, proposal="MA-4242", visit=2, size="small", temporary_home=True)
    assert view is not None
    assert view["size_title"] == "Large"
    assert view["fields"] == {
        "application": "pymca",
        "proposal": "MA-4242",
        "visit": "2",
        "size": "large",
        "temporary_home": "1",
    }
    several = larger(4, visits=[{"proposal": "MA-4242", "visit": 1}, {"proposal": "LS-1007", "visit": 3}])
    assert several is not None
    assert several["visits"] == ["1:MA-4242", "3:LS-1007"]
    assert several["fields"] == {"application": "pymca", "size": "large"}


def test_a_place_without_it_is_left_out() -> None:
    here, large = Place("here", "Here", "sandbox", sizes=("small",)), Place("large", "Large", "sandbox")
    for place, expected in (("here", None), ("large", "large"), ("gone", None)):
        view = larger(4, here, large, place=place)
        assert view is not None
        assert view["fields"].get("place") == expected
    assert size_of(larger(4, here, place="here")) == "", "no place of theirs has one"


@pytest.mark.parametrize("options", [{"application": "gone"}, {"application": ["pymca"]}])
def test_what_is_no_longer_in_the_catalogue_has_none(options: dict[str, Any]) -> None:
    assert larger(4, **options) is None


def test_a_session_that_ended_otherwise_has_none() -> None:
    assert larger(0) is None
