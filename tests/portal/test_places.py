"""Which sizes a person chooses from, where the portal has several places, and which one is the default."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.launch import Place
from daas_hub.portal.places import free_words, sizes_in

SIZES = {name: Size(name, name.title(), 2**30, 1, 100, 12) for name in ("small", "large", "huge")}
LAB = Application("lab", "Lab", Kind.NOTEBOOK, sizes=("small", "large"))
ANNA = Account("anna", 25001, 25001)


def place(name: str, **rules: Any) -> Place:
    return Place(name, name.title(), "sandbox", **rules)


@pytest.mark.parametrize(
    ("places", "names", "default"),
    [
        ([], ["small", "large"], "small"),
        ([place("a")], ["small", "large"], "small"),
        ([place("a", sizes=("large",))], ["large"], "large"),
        ([place("a", sizes=("large",)), place("b", sizes=("small",))], ["small", "large"], ""),
        ([place("a", sizes=("small",)), place("b")], ["small", "large"], "small"),
        ([place("a", sizes=("large",)), place("b", sizes=("small",), roles=frozenset({"staff"}))], ["large"], "large"),
        ([place("a", sizes=("large",)), place("b", applications=frozenset({"pymca"}))], ["large"], "large"),
        ([place("a", sizes=("huge",))], ["small", "large"], "small"),
    ],
)
def test_sizes_of_the_places_that_may_be_used(places: list[Place], names: list[str], default: str) -> None:
    found, usual = sizes_in(places, ANNA, Catalogue({"lab": LAB}, SIZES), LAB)
    assert [one.name for one in found] == names
    assert usual == default


GIB = 2.0**30


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ({}, ""),
        ({"cpus": (6, 16)}, "Free: 10 CPUs."),
        ({"memory_bytes": (GIB, 2.5 * GIB), "sessions": (3, 4)}, "Free: 1 session, 1.5 GiB of memory."),
        ({"cpus": (15, 16), "gpus": (1, 2)}, "Free: 1 CPU, 1 GPU."),
        # a quota was made smaller
        ({"cpus": (16, 4)}, "Free: 0 CPUs."),
        ({"gpus": (0, 0)}, ""),
    ],
)
def test_what_a_place_has_left(use: dict[str, tuple[float, float]], words: str) -> None:
    assert free_words(use) == words
