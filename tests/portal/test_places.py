"""Which sizes a person chooses from, where the portal has several places, and which one is the default."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.launch import Place
from daas_hub.portal.places import sizes_in

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
