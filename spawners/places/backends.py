"""The backends that places name: their classes, and the configuration of each."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.app import JupyterHub
from jupyterhub.spawner import Spawner
from traitlets import HasTraits, TraitError
from traitlets.config import Config

from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.launch import Place
from daas_hub.policy import Places
from daas_hub.spawners.base import ProposalSessionMixin
from daas_hub.spawners.session_records import SessionRecords

#: Read by the hub before a place is chosen, or the same for all of a user's sessions: settings of `PlacesSpawner`.
BEFORE_THE_PLACE = frozenset(
    {
        "consecutive_failure_limit", "host_for_each_session", "oauth_client_allowed_scopes", "options_form",
        "options_from_form", "place", "progress_ready_hook", "server_token_scopes",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Backend:
    """One place, and the spawner class that runs its sessions.

    Attributes:
        config: the hub's, with the settings of this place.
    """

    place: Place
    spawner_class: type[Any]
    config: Config

    def settings(self) -> Any:
        """Return a spawner without a user, for the settings and methods of this backend."""
        return self.spawner_class(config=self.config)

    @cached_property
    def records(self) -> SessionRecords | None:
        """The records of its sessions; None for a backend that keeps none."""
        runtime_dir = getattr(self.settings(), "runtime_dir", "")
        return SessionRecords.of(Path(runtime_dir)) if runtime_dir else None


class Backends:
    """The backends of a configuration, by place."""

    _latest: ClassVar[tuple[Config, Mapping[str, Backend]] | None] = None

    @classmethod
    def of(cls, config: Config) -> Mapping[str, Backend]:
        """Return the backends; they are built once for a configuration.

        Raises:
            ConfigurationError: a place is not valid.
        """
        if cls._latest is None or cls._latest[0] is not config:
            cls._latest = (config, {one.name: _backend(one, config) for one in Places(config=config).rules()})
        return cls._latest[1]


def _backend(place: Place, config: Config) -> Backend:
    spawner_class = class_of(place)
    return Backend(place, spawner_class, config_of(place, config, spawner_class))


def class_of(place: Place) -> type[Any]:
    """Return the spawner class of a place.

    Raises:
        ConfigurationError: there is no such class, or it cannot run the sessions of a place.
    """
    setting = f"Places.places[{place.name!r}]['spawner']"
    try:
        found = JupyterHub.class_traits()["spawner_class"].validate(JupyterHub, place.spawner)
    except TraitError as error:
        known = sorted(one.name for one in entry_points(group="jupyterhub.spawners"))
        near = get_close_matches(str(place.spawner), known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near and near[0] != place.spawner else str(error)
        raise ConfigurationError(setting, place.spawner, "is not a spawner here", remedy=remedy) from None
    if not issubclass(found, ProposalSessionMixin) or hasattr(found, "is_places_spawner"):
        raise ConfigurationError(
            setting,
            place.spawner,
            "cannot run the sessions of a place",
            remedy='Use "sandbox", "proposal-docker", "proposal-kubernetes", or a subclass of one of their spawners.',
        )
    return found


def config_of(place: Place, config: Config, spawner_class: type[Any]) -> Config:
    """Return the hub's configuration with the settings of one place.

    They take precedence over those of the spawner's class; `c.PlacesSpawner` counts as `c.Spawner`.
    """
    own = copy.deepcopy(config)
    own.pop("Places", None)
    shared = own.pop("PlacesSpawner", {})
    for name, value in shared.items():
        own.Spawner[name] = value
    section = own[spawner_class.__name__]
    for name, value in place.settings.items():
        section[name] = copy.copy(value)
    if place.has_earlier_sessions and "place_label" not in section and hasattr(spawner_class, "place_label"):
        # by which their pods are known
        section["place_label"] = _default_of(spawner_class, own, "place_label")
    section["place"] = place.name
    if hasattr(spawner_class, "runtime_dir") and "runtime_dir" not in place.settings and not place.has_earlier_sessions:
        # as short as it can be: paths of sockets have a limit
        section["runtime_dir"] = str(Path(_default_of(spawner_class, own, "runtime_dir")) / "places" / place.name)
    return own


def _default_of(spawner_class: type[Any], config: Config, name: str) -> str:
    """Return the value that a setting has without the place."""
    # a copy: KubeSpawner takes its former names out of a configuration that it reads
    return str(getattr(spawner_class(config=copy.deepcopy(config)), name))


def problems_of(config: Config) -> list[DaasError]:
    """Return what keeps the places of a configuration from starting sessions, or apart."""
    try:
        places = Places(config=config).rules()
    except ConfigurationError as problem:
        return [problem]
    if not places:
        return [
            ConfigurationError(
                "Places.places",
                {},
                "has no place, and JupyterHub.spawner_class is 'places'",
                remedy='Name at least one: c.Places.places = {"here": {"spawner": "sandbox"}}.',
            )
        ]
    problems: list[DaasError] = []
    for place in places:
        try:
            spawner_class = class_of(place)
        except ConfigurationError as problem:
            problems.append(problem)
            continue
        found: list[DaasError] = [*_setting_problems(place, spawner_class), *_ignored_settings(spawner_class, config)]
        if not found:
            found = spawner_class.startup_problems(config_of(place, config, spawner_class))
        problems += [in_place(one, place) for one in found]
    return problems or [*_collisions(Backends.of(config))]


def in_place(problem: DaasError, place: Place) -> DaasError:
    """Return a problem of one backend with the name of its place."""
    if str(problem).startswith("Places."):
        return problem
    return DaasError(f"Place {place.name!r}: {problem.message}", remedy=problem.remedy, kind=problem.kind)


def _setting_problems(place: Place, spawner_class: type[Any]) -> Iterator[ConfigurationError]:
    """Yield an error for each setting of a place that its spawner does not have, or cannot have for one place alone."""
    traits = spawner_class.class_traits(config=True)
    for name, value in place.settings.items():
        setting = f"Places.places[{place.name!r}]['settings'][{name!r}]"
        if name in BEFORE_THE_PLACE:
            yield ConfigurationError(
                setting, "(set)", "is used before a place is chosen", remedy=f"Set c.PlacesSpawner.{name} for all."
            )
        elif name not in traits:
            near = get_close_matches(name, traits, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else "Remove it."
            yield ConfigurationError(setting, "(set)", f"is not a setting of {spawner_class.__name__}", remedy=remedy)
        else:
            try:
                traits[name]._validate(HasTraits(), value)
            except TraitError:
                # the value may be a secret
                yield ConfigurationError(
                    setting, "(set)", "has the wrong type", remedy=f"It must be {traits[name].info()}."
                )


def _ignored_settings(spawner_class: type[Any], config: Config) -> Iterator[ConfigurationError]:
    """Yield an error for each setting of a spawner's own section that the hub reads of `PlacesSpawner`."""
    shared = {base.__name__ for base in (Spawner, ProposalSessionMixin)}
    for base in spawner_class.__mro__:
        section = {} if base.__name__ in shared else config.get(base.__name__, {})
        for name in sorted(BEFORE_THE_PLACE & set(section)):
            yield ConfigurationError(
                f"{base.__name__}.{name}",
                "(set)",
                "is used before a place is chosen",
                remedy=f"Set c.PlacesSpawner.{name} for all.",
            )


def _collisions(backends: Mapping[str, Backend]) -> Iterator[ConfigurationError]:
    """Yield an error for two places that would take each other's sessions for their own."""
    seen: dict[tuple[str, str], str] = {}
    for name, backend in backends.items():
        settings = backend.settings()
        for setting in ("runtime_dir", "hub_label", "place_label"):
            value = str(getattr(settings, setting, ""))
            other = seen.setdefault((setting, value), name)
            if value and other != name:
                yield ConfigurationError(
                    f"Places.places[{name!r}]['settings'][{setting!r}]",
                    value,
                    f"is that of the place {other!r}, too: each would end the other's sessions",
                    remedy="Give each place its own, or remove the setting.",
                )
