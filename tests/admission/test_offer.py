"""What the classes of a person leave them: the rule that pages and admission share."""

from __future__ import annotations

import pytest

from daas_hub.admission.offer import EVERYTHING, Offer
from daas_hub.admission.quota import ClassRule, OverQuota, Rules, require_quota

from .scenes import NOW, demand

GUEST = ClassRule(applications=frozenset({"pymca"}), sizes=frozenset({"small"}))
COURSE = ClassRule(applications=frozenset({"lab"}))
RULES = Rules(classes={"role:guest": GUEST, "group:course": COURSE, "role:staff": ClassRule()})


@pytest.mark.parametrize(
    ("groups", "applications", "sizes"),
    [
        ((), None, None),
        (("role:other",), None, None),
        (("role:guest",), {"pymca"}, {"small"}),
        (("group:course",), {"lab"}, None),
        (("role:guest", "group:course"), {"pymca", "lab"}, None),
        (("role:guest", "role:staff"), None, None),
        (("group:guest",), None, None),
    ],
)
def test_one_class_that_allows_something_is_enough(
    groups: tuple[str, ...], applications: set[str] | None, sizes: set[str] | None
) -> None:
    offer = RULES.offer_for(frozenset(groups))
    assert (offer.applications, offer.sizes) == (applications, sizes)


def test_without_a_class_everything_is_offered() -> None:
    assert Offer.of_classes([], []) == EVERYTHING
    assert EVERYTHING.has_application("anything")
    assert EVERYTHING.has_size("huge")


@pytest.mark.parametrize("groups", [(), ("role:guest",), ("group:course",), ("role:guest", "group:course")])
@pytest.mark.parametrize("application", ["pymca", "lab", "terminal"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_admission_refuses_exactly_what_is_not_offered(groups: tuple[str, ...], application: str, size: str) -> None:
    launch = demand(application=application, size=size, groups=frozenset(groups))
    offer = RULES.offer_for(launch.groups)
    try:
        require_quota(RULES, launch, [], NOW)
        is_admitted = True
    except OverQuota:
        is_admitted = False
    assert is_admitted == (offer.has_application(application) and offer.has_size(size))
