"""Every limit that can be set: of a person, a proposal, a role, a group, a place and the portal, of each resource.

A launch beyond it is refused with the numbers, which the page of the person's limits has before.
"""

from __future__ import annotations

from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.admission.limits import SHOWN, in_words
from daas_hub.admission.own_use import Who, limits_on
from daas_hub.admission.quota import NoRoom, OverQuota, Rules, require_quota, require_room
from daas_hub.admission.settings import Quotas
from daas_hub.launch import Place
from tests.admission.scenes import NOW, demand, running

PLACE = Place("large", "Large nodes", "sandbox")
CLASSES = frozenset({"role:guest", "group:school"})
#: What ben's session uses, and what anna's launch would use, of each resource: the value of the setting that has room
#: for one of them, and the words of the refusal.
RESOURCES: dict[str, tuple[Any, str]] = {
    "sessions": (1, "1 of 1 sessions"),
    "cpus": (3, "2 of 3 CPUs"),
    "memory": ("6 GiB", "4 GiB of 6 GiB of memory"),
    "gpus": (1, "1 of 1 GPUs"),
    "hours": (10, "8 of 10 hours in 30 days"),
}
#: Whose limits: the setting with these, whose session counts beside anna's, and how the refusal begins.
SCOPES: dict[str, tuple[Any, str, str]] = {
    "person": (lambda limits: {"person": limits}, "anna", "You are using "),
    "proposal": (lambda limits: {"proposal": limits}, "ben", "Sessions of proposal MA-1 are using "),
    "each of a role": (lambda limits: {"roles": {"guest": limits}}, "anna", "You are using "),
    "each of a group": (lambda limits: {"groups": {"school": limits}}, "anna", "You are using "),
    "a role": (lambda limits: {"roles": {"guest": {"together": limits}}}, "ben", "All people with the role guest are"),
    "a group": (lambda limits: {"groups": {"school": {"together": limits}}}, "ben", "All people in the group school"),
    "place": (lambda limits: {"places": {"large": limits}}, "ben", "Large nodes is full: "),
    "portal": (lambda limits: {"facility": limits}, "ben", "The portal is full: "),
}
OF_HOURS = {"place": "Sessions in Large nodes are using ", "portal": "All sessions of this portal are using "}
LAUNCH = demand("anna", "two", gpus=1, proposals=("MA-1",), groups=CLASSES, place="large")


def refusal(rules: Rules, sessions: Any) -> str:
    try:
        require_quota(rules, LAUNCH, sessions, NOW)
        require_room(rules, LAUNCH, sessions, NOW)
    except (OverQuota, NoRoom) as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_limit_is_refused_with_the_numbers_of_the_page(scope: str, resource: str) -> None:
    setting, user, begin = SCOPES[scope]
    value, words = RESOURCES[resource]
    config = Config({"Quotas": setting({resource: value})})
    rules = Quotas(config=config).rules(config, (PLACE,))
    begin = OF_HOURS.get(scope, begin) if resource == "hours" else begin
    theirs = [running(user, gpus=1, proposals=("MA-1",), groups=CLASSES, place="large")]
    assert refusal(rules, []) == "", "one fits"
    said = refusal(rules, theirs)
    assert said.startswith(begin)
    assert words in said
    elsewhere = [running("carla", gpus=1, place="small")]
    assert (refusal(rules, elsewhere) == "") == (scope != "portal"), "others do not count"

    name = {"memory": "memory_bytes"}.get(resource, resource)
    who = Who("anna", CLASSES, frozenset({"MA-1"}), ("large",), sessions=10)
    uses = [use for one in limits_on(rules, who, theirs, NOW, theirs) for use in one.uses if use.resource == name]
    shown = SHOWN[name][1] if name in SHOWN else in_words
    assert any(f"{shown(use.used)} of {shown(use.limit)}" in words for use in uses), "the page has the same"
