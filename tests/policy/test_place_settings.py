"""What an administrator writes about places, and the sentence for each mistake."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.errors import ConfigurationError
from daas_hub.launch import Defaults, PlaceState
from daas_hub.policy import Places


def places_of(places: dict[str, Any], **more: Any) -> Any:
    """Return the places of a configuration."""
    return Places(config=Config(Places={"places": places} | more)).rules()


def test_read() -> None:
    found = places_of(
        {
            "here": {"spawner": "sandbox"},
            "large-nodes": {
                "spawner": "proposal-docker",
                "title": "Large nodes",
                "state": "draining",
                "capacity": 20,
                "beamlines": ["ID21"],
                "default_for": {"applications": ["imaging"]},
                "storage": ["/data", "/home"],
                "settings": {"engine": "ssh://daas@large"},
            },
        }
    )
    assert [one.name for one in found] == ["here", "large-nodes"]
    assert found[0].title == "here"
    large = found[1]
    assert (large.state, large.capacity, large.beamlines) == (PlaceState.DRAINING, 20, frozenset({"ID21"}))
    assert large.default_for == Defaults(applications=frozenset({"imaging"}))
    assert large.storage == (PurePosixPath("/data"), PurePosixPath("/home"))
    assert large.settings == {"engine": "ssh://daas@large"}


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("Here", {}, "is not a name of a place"),
        ("here-", {}, "is not a name of a place"),
        ("a" * 21, {}, "at most 20"),
        ("../x", {}, "is not a name of a place"),
        ("here", None, "is not a dictionary"),
        ("here", {"spawner": 3}, "is not a spawner"),
        ("here", {"spawner": None}, "is not a spawner"),
        ("here", {"capcity": 3}, "there is no such key Did you mean 'capacity'?"),
        ("here", {"capacity": 0}, "is not a number from 1"),
        ("here", {"capacity": True}, "is not a number from 1"),
        ("here", {"capacity": "20"}, "is not a number from 1"),
        ("here", {"state": "closed"}, "Use one of open, draining, down."),
        ("here", {"roles": "staff"}, "is not a list of names"),
        ("here", {"roles": []}, "Name at least one, or remove the key."),
        ("here", {"applications": [1]}, "is not a list of names"),
        ("here", {"title": "two\nlines"}, "is not a line of text"),
        ("here", {"settings": ["engine"]}, "is not a dictionary"),
        ("here", {"settings": {1: 2}}, "is not a dictionary"),
        ("here", {"default_for": {"beamlines": ["ID21"]}}, "Known: applications, roles, groups."),
        ("here", {"storage": ["data"]}, "is not an absolute path"),
        ("here", {"lacks_storage": ["/data/../home"]}, "is not an absolute path"),
    ],
)
def test_mistakes(name: str, keys: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        places_of({name: keys if keys is None else {"spawner": "sandbox"} | keys})
    assert words in str(refusal.value)


def test_a_mistake_shows_no_secret() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        places_of({"here": {"spawner": "sandbox", "settings": "token=hunter2"}})
    assert "hunter2" not in str(refusal.value)


def test_earlier_sessions_are_in_one_place() -> None:
    one = {"spawner": "sandbox", "earlier_sessions": True}
    with pytest.raises(ConfigurationError, match="is set for 'a', too"):
        places_of({"a": one, "b": one})


def test_retired_is_not_a_place() -> None:
    with pytest.raises(ConfigurationError, match=r"Places.retired = 'a': is one of Places.places, too"):
        places_of({"a": {"spawner": "sandbox"}}, retired=["a"])
