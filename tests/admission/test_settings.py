"""The settings of quotas and queue: what they mean, and a sentence for what is wrong."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from traitlets.config import Config

from daas_hub.admission.limits import Limits
from daas_hub.admission.offer import Offer
from daas_hub.admission.settings import Queue, Quotas, admission_problems
from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.launch import Place

SMALL = Size("small", "Small", 2**30, 1.0, 100, 8.0)
CATALOGUE = Catalogue({"pymca": Application("pymca", "PyMca", Kind.DESKTOP)}, {"small": SMALL})
LARGE = Place("large", "Large nodes", "sandbox", capacity=4)


def config_of(**sections: dict[str, Any]) -> Config:
    return Config(sections)


def problems(places: tuple[Place, ...] = (LARGE,), **sections: dict[str, Any]) -> list[str]:
    most = sections.pop("Facility", {}).get("sessions_per_person", 10)
    found = admission_problems(config_of(**sections), places, datetime.UTC, CATALOGUE, sessions_per_person=most)
    return [str(one) for one in found]


def test_nothing_is_limited_by_default() -> None:
    rules = Quotas().rules(Config(), ())
    assert not rules.has_quotas
    assert not rules.has_capacity
    assert not Queue().enabled
    assert problems(()) == []


def test_limits_of_all_scopes() -> None:
    config = config_of(
        Quotas={
            "person": {"sessions": 4, "cpus": 1.5, "memory": "64 GiB", "gpus": 0, "hours": 20, "sizes": ["small"]},
            "roles": {"guest": {"sessions": 1, "sizes": ["small"], "share": 0.5, "together": {"cpus": 8}}},
            "groups": {"school": {"gpus": 1}},
            "places": {"large": {"cpus": 64, "hours": 500, "days": 90}},
            "facility": {"sessions": 50, "hours": 9000},
        },
        JupyterHub={"active_server_limit": 30},
    )
    rules = Quotas(config=config).rules(config, (LARGE,))
    assert rules.person == Limits(4, 1.5, 64 * 2**30, 0, 20)
    assert rules.offer == Offer(sizes=frozenset({"small"}))
    guest = rules.classes["role:guest"]
    assert (guest.each, guest.together, guest.sizes) == (Limits(sessions=1), Limits(cpus=8), frozenset({"small"}))
    assert guest.share == 0.5
    assert rules.classes["group:school"].each == Limits(gpus=1)
    assert rules.places == {"large": Limits(sessions=4, cpus=64, hours=500, days=90)}
    assert rules.facility == Limits(sessions=30, hours=9000), "JupyterHub's own limit is a capacity, too"
    assert rules.longest_days == 90, "of the place"


def test_hours_alone_are_no_capacity_and_nobody_waits_for_them() -> None:
    rules = Quotas(facility={"hours": 100}).rules(Config(), ())
    assert rules.has_quotas
    assert not rules.has_capacity
    (found,) = problems((), Queue={"enabled": True}, Quotas={"facility": {"hours": 100}})
    assert "nobody would ever wait" in found


def test_a_reservation_is_in_the_facilitys_time_zone() -> None:
    given = {"start": "2026-09-01T09:00", "end": "2026-09-01T17:00+00:00", "sessions": 2, "groups": ["school"]}
    config = config_of(Queue={"reservations": [given]})
    (found,) = Queue(config=config).reserved(ZoneInfo("Europe/Paris"), ())
    assert datetime.datetime.fromtimestamp(found.start, datetime.UTC).hour == 7
    assert datetime.datetime.fromtimestamp(found.end, datetime.UTC).hour == 17


@pytest.mark.parametrize(
    ("section", "value", "words"),
    [
        ("person", {"session": 4}, "Quotas.person['session'] = '(set)': there is no such key Did you mean 'sessions'?"),
        ("person", {"sessions": -1}, "Quotas.person['sessions'] = -1: is not a whole number from 0"),
        ("person", {"sessions": True}, "is not a whole number from 0"),
        ("person", {"cpus": 0}, "Quotas.person['cpus'] = 0: is not a number above 0"),
        ("person", {"cpus": float("nan")}, "is not a number above 0"),
        ("person", {"cpus": float("inf")}, "is not a number above 0"),
        ("person", {"memory": 64}, "Quotas.person['memory'] = 64: is not an amount of memory"),
        ("person", {"days": 7}, "has no effect without `hours`"),
        ("roles", {"guest": 3}, "Quotas.roles['guest'] = 3: is not a dictionary"),
        ("roles", {"guest": {"sizes": []}}, "is not a list of names"),
        ("roles", {"guest": {"share": 0}}, "Quotas.roles['guest']['share'] = 0: is not a number above 0"),
        ("roles", {"guest": {"sizes": ["smal"]}}, "is not in the catalogue Did you mean 'small'?"),
        ("roles", {"guest": {"together": {"cpu": 1}}}, "Quotas.roles['guest']['together']['cpu']"),
        ("places", {"larg": {"cpus": 1}}, "Quotas.places = 'larg': is not a place Did you mean 'large'?"),
        ("facility", {"hours": 0}, "Quotas.facility['hours'] = 0: is not a number above 0"),
        ("facility", {"days": 7}, "Quotas.facility['days'] = 7: has no effect without `hours`"),
        ("places", {"large": {"hours": "many"}}, "Quotas.places['large']['hours'] = 'many': is not a number above 0"),
        ("places", {"large": {"hour": 8}}, "Quotas.places['large']['hour'] = '(set)': there is no such key Did you"),
        ("person", {"sizes": ["smal"]}, "Quotas.person['sizes'] = 'smal': is not in the catalogue Did you mean"),
        ("person", {"applications": []}, "Quotas.person['applications'] = []: is not a list of names"),
        (
            "person",
            {"sessions": 11},
            "Quotas.person['sessions'] = 11: is more than Facility.sessions_per_person, which is",
        ),
        (
            "roles",
            {"staff": {"sessions": 20}},
            "Quotas.roles['staff']['sessions'] = 20: is more than Facility.sessions",
        ),
        ("proposal", {"sizes": ["small"]}, "Quotas.proposal['sizes'] = '(set)': there is no such key"),
    ],
)
def test_a_wrong_quota_has_a_sentence(section: str, value: Any, words: str) -> None:
    (found,) = problems(Quotas={section: value})
    assert words in found


def test_more_sessions_than_usual_need_both_settings() -> None:
    assert problems(Quotas={"person": {"sessions": 20}}, Facility={"sessions_per_person": 20}) == []
    assert problems(Quotas={"proposal": {"sessions": 20}, "facility": {"sessions": 20}}) == []


SCHOOL = {"start": "2026-09-01T09:00", "end": "2026-09-01T17:00", "sessions": 4, "groups": ["school"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": "tomorrow"}, "Queue.reservations[0]['start'] = 'tomorrow': is not a date and time"),
        ({"end": "2026-09-01T09:00"}, "is not after its start"),
        ({"place": "larg"}, "is not a place"),
        ({"groups": None}, "is for nobody"),
        ({"seats": 4}, "there is no such key"),
        ({"sessions": 5, "place": "large"}, "the place 'large' has 4 sessions"),
        ({}, "the portal has no limit of sessions"),
    ],
)
def test_a_wrong_reservation_has_a_sentence(change: dict[str, Any], words: str) -> None:
    (found,) = problems(Queue={"reservations": [SCHOOL | change]})
    assert words in found


def test_a_queue_needs_a_capacity() -> None:
    (found,) = problems((), Queue={"enabled": True})
    assert "there is no capacity, so nobody would ever wait" in found
    assert problems((LARGE,), Queue={"enabled": True}) == []
