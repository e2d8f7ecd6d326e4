"""Sessions are counted from the hub's records, by values of the configuration only."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daas_hub.spawners.session_counts import queue_counts, session_counts, unconfirmed_stops
from daas_hub.spawners.session_records import SessionRecords, new_record

KNOWN = ("pymca", "lab")


def spawner(application: Any, **more: Any) -> SimpleNamespace:
    state = {"pending": None, "ready": True, "place": "", "user_options": {"application": application}}
    return SimpleNamespace(**(state | more))


def test_by_application_place_and_state() -> None:
    users = {
        1: SimpleNamespace(
            spawners={
                "": spawner("pymca"),  # the hub's unnamed server
                "a": spawner("pymca"),
                "b": spawner("pymca", pending="spawn", ready=False),
                "c": spawner("lab", pending="stop"),
                "d": spawner("lab", is_unknown=True, place="cluster"),
                "e": spawner("lab", ready=False),  # a card
            }
        ),
        2: SimpleNamespace(spawners={"a": spawner("pymca", stop_wanted=True), "b": spawner("pymca")}),
    }
    assert session_counts(users, KNOWN) == {
        ("pymca", "default", "running"): 2,
        ("pymca", "default", "starting"): 1,
        ("pymca", "default", "stopping"): 1,
        ("lab", "default", "stopping"): 1,
        ("lab", "cluster", "unknown"): 1,
    }


@pytest.mark.parametrize("hostile", ['x"} 1\n', "", None, ["pymca"], {"a": 1}, 7, "anna"])
def test_what_somebody_sends_is_no_label(hostile: Any) -> None:
    """Options are stored before they are parsed."""
    users = {1: SimpleNamespace(spawners={"a": spawner(hostile), "b": spawner("pymca", user_options=None)})}
    assert session_counts(users, KNOWN) == {("other", "default", "running"): 2}


async def test_stops_that_no_backend_has_confirmed_are_counted_also_after_a_restart(tmp_path: Path) -> None:
    records = SessionRecords(tmp_path)
    for name in ("a", "b", "c"):
        await records.write(name, new_record("1f", "anna", name, "DockerSpawner", ""))
    for name in ("a", "b"):
        await records.want_stop(name, new_record("1f", "anna", name, "DockerSpawner", ""))
    anna = SimpleNamespace(name="anna", spawners={"a": spawner("pymca"), "b": spawner("pymca", pending="stop")})
    assert unconfirmed_stops({1: anna}, [records]) == {"anna:a"}, "the hub is stopping the other one"
    restarted = SessionRecords(tmp_path)
    assert unconfirmed_stops({}, [restarted, restarted]) == {"anna:a", "anna:b"}
    await restarted.remove("a")
    assert unconfirmed_stops({}, [restarted]) == {"anna:b"}


def test_the_queue_is_counted_by_place() -> None:
    """A place for which nobody waits is 0: an alert must see that a queue became empty."""
    waits = [("a", 5.0), ("a", 60.0), ("", 1.0)]
    assert queue_counts(["a", "b"], waits, lambda seconds: float(len(seconds))) == {
        ("a",): 2, ("b",): 0, ("default",): 1,
    }  # fmt: skip
    oldest = queue_counts(["a", "b"], waits, lambda seconds: max(seconds, default=0.0))
    assert oldest == {("a",): 60, ("b",): 0, ("default",): 1}
