"""The catalogue as one person may use it: its applications, its sizes, and the words for what they may not use."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.accounts import Account
from daas_hub.admission.offer import Offer
from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.launch import Place
from daas_hub.portal.buttons import Buttons
from daas_hub.portal.offers import PersonalCatalogue

SIZES = {name: Size(name, name.title(), 2**30, 1, 100, 12) for name in ("small", "large", "huge")}
LAB = Application("lab", "Lab", Kind.NOTEBOOK, sizes=("small", "large"))
PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, sizes=("huge",))
CATALOGUE = Catalogue({"lab": LAB, "pymca": PYMCA}, SIZES)
BOTH = (LAB, PYMCA)


def catalogue_of(*places: Place, applications: Any = None, sizes: Any = None) -> PersonalCatalogue:
    offer = Offer(applications and frozenset(applications), sizes and frozenset(sizes))
    return PersonalCatalogue(CATALOGUE, places, Account("gina", 25001, 25001), offer)


def place(name: str, *sizes: str) -> Place:
    return Place(name, name.title(), "sandbox", sizes=sizes)


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        ({}, BOTH),
        ({"applications": ["lab"]}, (LAB,)),
        ({"sizes": ["large"]}, (LAB,)),
        ({"sizes": ["large", "huge"]}, BOTH),
        ({"applications": ["pymca"], "sizes": ["small"]}, ()),
    ],
)
def test_an_application_needs_a_size_that_the_person_may_use(
    offer: dict[str, Any], expected: tuple[Application, ...]
) -> None:
    assert catalogue_of(**offer).only(BOTH) == expected


@pytest.mark.parametrize(
    ("places", "sizes", "names", "default"),
    [
        ([], ["large"], ["large"], "large"),
        ([], ["small"], ["small"], "small"),
        ([place("a", "small"), place("b", "large")], ["small", "large"], ["small", "large"], ""),
        # the usual size of the first place is not theirs, so the default is not left to the place
        ([place("a", "small"), place("b", "large")], ["large"], ["large"], "large"),
        ([place("a", "small")], ["large"], [], ""),
    ],
)
def test_the_default_is_a_size_that_the_person_may_use(
    places: list[Place], sizes: list[str], names: list[str], default: str
) -> None:
    found, usual = catalogue_of(*places, sizes=sizes).sizes_of(LAB)
    assert ([one.name for one in found], usual) == (names, default)


@pytest.mark.parametrize(
    ("sizes", "sent"),
    [
        (None, ["small", "large"]),
        (["large"], ["large"]),
        (["small"], ["small"]),
        (["small", "large", "huge"], ["small", "large"]),
    ],
)
def test_a_button_names_the_size_that_is_left(sizes: list[str] | None, sent: list[str]) -> None:
    button = Buttons("/hub/", catalogue_of(sizes=sizes), running={})(LAB, None, None)
    assert [one["name"] for one in button["sizes"]] == sent
    assert button["sizes"][0]["selected"]


@pytest.mark.parametrize(
    ("offer", "fields", "words"),
    [
        ({}, {"application": "pymca", "size": "huge"}, ""),
        ({"applications": ["lab"]}, {}, ""),
        ({"applications": ["lab"]}, {"application": "lab", "size": "large"}, ""),
        ({"applications": ["lab"]}, {"application": "nothing"}, ""),
        ({"applications": ["lab"]}, {"application": "pymca"}, "PyMca is not available to you. Available: Lab."),
        ({"sizes": ["small"]}, {"application": "pymca"}, "PyMca is not available to you. Available: Lab."),
        (
            {"sizes": ["small"]},
            {"application": "lab", "size": "large"},
            "The size Large is not available to you. Available: Small.",
        ),
        (
            {"sizes": ["small", "huge"]},
            {"size": "large"},
            "The size Large is not available to you. Available: Small, Huge.",
        ),
        (
            {"applications": ["pymca"], "sizes": ["small"]},
            {"application": "lab"},
            "Lab is not available to you. No other application is, either: please ask the user office.",
        ),
    ],
)
def test_a_link_to_something_else_says_what_there_is(offer: dict[str, Any], fields: dict[str, str], words: str) -> None:
    assert catalogue_of(**offer).problem_with(fields, BOTH) == words
