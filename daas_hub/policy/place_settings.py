"""The administrator's places: the backends of one portal, each by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any

from traitlets import Dict, List, Unicode
from traitlets.config import Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.launch import Defaults, Place, PlaceState

#: Part of socket paths, names and labels: short, and the same everywhere.
PLACE_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?")

_NAMES = ("sizes", "applications", "beamlines", "roles", "groups")
_TEXTS = ("title", "description", "notice")
_PATHS = ("storage", "lacks_storage")
_KEYS = ("spawner", "settings", "state", "capacity", "default_for", "earlier_sessions", *_NAMES, *_TEXTS, *_PATHS)


class Places(Configurable):
    """Several backends behind one portal, each a named place; needs `JupyterHub.spawner_class = "places"`."""

    places = Dict(
        config=True,
        help="""
        The places, by name, in the order of the launch page; the first one that can have a launch is its default. A
        name has lower-case letters, digits and hyphens, at most 20; change it only while no session is there.
        Keys of a place, all optional except `spawner`:
        `spawner` ("sandbox", "proposal-docker", ... as `JupyterHub.spawner_class`);
        `settings` (traits of that spawner, which take precedence over those of its class);
        `title`, `description`;
        `state` ("open"; "draining": no new sessions; "down": the same, and pages say that it is down), and `notice`,
        the reason;
        `capacity` (the most sessions at once);
        `sizes`, `applications` (what it offers of the catalogue);
        `beamlines` (only proposals of these);
        `roles`, `groups` (only people with one of them);
        `default_for` (a dictionary of `applications`, `roles`, `groups`: launches that go there by default);
        `storage` (the only directories it has) and `lacks_storage` (those it does not have), with what is below them;
        `earlier_sessions` (True for the place whose spawner was the only one before: its running sessions are kept).
        Example: {"here": {"spawner": "sandbox", "title": "This machine"}, "large": {"spawner": "proposal-docker",
        "title": "Large nodes", "settings": {"engine": "ssh://daas@large"}, "capacity": 20}}. Default: none.
        """,
    )
    retired = List(
        Unicode(),
        config=True,
        help="""
        Names of places that no longer exist: their sessions count as ended. Sessions of a place that is neither here
        nor in `places` are kept as "not known". Example: ["old-cluster"]. Default: none.
        """,
    )

    def rules(self) -> tuple[Place, ...]:
        """Return the places.

        Raises:
            ConfigurationError: a place is not valid.
        """
        found = tuple(self._place(str(name), given) for name, given in self.places.items())
        earlier = [one.name for one in found if one.has_earlier_sessions]
        if len(earlier) > 1:
            raise self._wrong(earlier[1], "earlier_sessions", True, f"is set for {earlier[0]!r}, too", "Set it once.")
        for name in self.retired:
            if name in self.places:
                raise ConfigurationError(
                    "Places.retired", name, "is one of Places.places, too", remedy="Remove it from one of them."
                )
        return found

    def _place(self, name: str, given: Any) -> Place:
        if not PLACE_NAME.fullmatch(name):
            raise ConfigurationError(
                "Places.places",
                name,
                "is not a name of a place",
                remedy="Use lower-case letters, digits and hyphens, at most 20.",
            )
        if not isinstance(given, Mapping):
            raise ConfigurationError(
                f"Places.places[{name!r}]", given, "is not a dictionary", remedy='Example: {"spawner": "sandbox"}.'
            )
        for key in given:
            if key not in _KEYS:
                near = get_close_matches(str(key), _KEYS, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(_KEYS))}."
                raise self._wrong(name, str(key), "(set)", "there is no such key", remedy)
        if not isinstance(given.get("spawner"), str | type):
            remedy = 'Set it to "sandbox" or "proposal-docker", for example.'
            raise self._wrong(name, "spawner", given.get("spawner"), "is not a spawner", remedy)
        names = {key: self._names(name, key, given.get(key)) for key in _NAMES}
        texts = {key: self._text(name, key, given.get(key, "")) for key in _TEXTS}
        return Place(
            name=name,
            title=texts["title"] or name,
            spawner=given["spawner"],
            settings=self._dictionary(name, "settings", given.get("settings")),
            description=texts["description"],
            state=self._state(name, given.get("state", "open")),
            notice=texts["notice"],
            capacity=self._capacity(name, given.get("capacity")),
            sizes=tuple(names["sizes"]),
            **{key: frozenset(names[key]) for key in _NAMES if key != "sizes"},
            default_for=self._defaults(name, given.get("default_for")),
            storage=self._paths(name, "storage", given["storage"]) if given.get("storage") is not None else None,
            lacks_storage=self._paths(name, "lacks_storage", given.get("lacks_storage")),
            has_earlier_sessions=bool(given.get("earlier_sessions", False)),
        )

    @staticmethod
    def _wrong(name: str, key: str, value: Any, message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"Places.places[{name!r}][{key!r}]", value, message, remedy=remedy)

    def _names(self, name: str, key: str, value: Any) -> list[str]:
        if value is None:
            return []
        # an empty list would read as nobody, and mean everybody
        if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) and one for one in value):
            raise self._wrong(name, key, value, "is not a list of names", "Name at least one, or remove the key.")
        return list(value)

    def _text(self, name: str, key: str, value: Any) -> str:
        if not isinstance(value, str) or not value.isprintable():
            raise self._wrong(name, key, value, "is not a line of text", "Write it in quotes.")
        return value

    def _dictionary(self, name: str, key: str, value: Any) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value):
            # it may contain secrets
            raise self._wrong(name, key, "(not shown)", "is not a dictionary", "Names in quotes, each with its value.")
        return value

    def _state(self, name: str, value: Any) -> PlaceState:
        try:
            return PlaceState(value)
        except ValueError:
            remedy = f"Use one of {', '.join(map(str, PlaceState))}."
            raise self._wrong(name, "state", value, "is not a state of a place", remedy) from None

    def _capacity(self, name: str, value: Any) -> int | None:
        if value is not None and (type(value) is not int or value < 1):
            remedy = 'Give the most sessions at once; "state": "draining" takes no new ones.'
            raise self._wrong(name, "capacity", value, "is not a number from 1", remedy)
        return value

    def _defaults(self, name: str, value: Any) -> Defaults:
        given = self._dictionary(name, "default_for", value)
        for key in given:
            if key not in ("applications", "roles", "groups"):
                remedy = "Known: applications, roles, groups."
                raise self._wrong(name, "default_for", key, "there is no such condition", remedy)
        return Defaults(**{key: frozenset(self._names(name, f"default_for.{key}", given[key])) for key in given})

    def _paths(self, name: str, key: str, value: Any) -> tuple[PurePosixPath, ...]:
        paths = tuple(map(PurePosixPath, self._names(name, key, value)))
        for one in paths:
            if not one.is_absolute() or ".." in one.parts:
                raise self._wrong(name, key, str(one), "is not an absolute path", 'Example: ["/data"].')
        return paths
