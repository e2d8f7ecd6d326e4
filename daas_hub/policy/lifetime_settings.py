"""The administrator's limits of how long sessions last, and how often they can be extended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from traitlets import Dict, Float, Int
from traitlets.config import Config, Configurable

from daas_hub.catalogue import Catalogue, Size
from daas_hub.errors import ConfigurationError
from daas_hub.lifetime import Limits

_HOUR_S, _MINUTE_S = 3600.0, 60.0
#: The command of JupyterHub's idle culler.
_CULLER = ("jupyterhub_idle_culler", "jupyterhub-idle-culler", "cull-idle-servers", "cull_idle_servers")


class Lifetimes(Configurable):
    """When sessions end: their time limit, how often it can be extended, and after how much idleness."""

    idle_minutes = Float(
        0.0,
        min=0,
        config=True,
        help="""
        Minutes after which an idle session ends. It is idle while nobody presses a key or moves the pointer in it, no
        kernel is busy, and its processor use is below `busy_processors`; whether its page is open does not matter. Its
        owner is warned `warning_minutes` before. Example: 240. Default: 0, idle sessions are kept until their time
        limit.
        """,
    )
    idle_minutes_by_size = Dict(
        Float(),
        config=True,
        help="""
        `idle_minutes` of the sessions of a size, by its name in sizes.yaml; 0 keeps them. Example: {"gpu": 60}.
        Default: none.
        """,
    )
    idle_minutes_by_application = Dict(
        Float(),
        config=True,
        help="""
        `idle_minutes` of an application's sessions, by its name in the catalogue; takes precedence over the size's.
        Example: {"crystfel": 0}. Default: none.
        """,
    )
    busy_processors = Float(
        0.1,
        min=0.001,
        config=True,
        help="""
        Processors in use, averaged over a minute, from which a session is not idle. It has to be above what the
        application uses when nobody works with it; see the table in "Limits of sessions". Example: 0.25, a quarter of
        a processor. Default: 0.1.
        """,
    )
    busy_processors_by_application = Dict(
        Float(),
        config=True,
        help="""
        `busy_processors` of an application, by its name in the catalogue, for one that computes while it is idle.
        Example: {"viewer": 0.6}. Default: none.
        """,
    )
    warning_minutes = Float(
        10.0,
        min=0,
        config=True,
        help="""
        Minutes before its end at which a session's card and page announce it. Example: 30. Default: 10.
        """,
    )
    hours_by_role = Dict(
        Float(),
        config=True,
        help="""
        Time limit, in hours, of the sessions of people with a role, instead of the size's `hours`; of several roles the
        longest one applies. Example: {"admin": 72}. Default: none.
        """,
    )
    extension_hours = Float(
        0.0,
        min=0,
        config=True,
        help="""
        Hours that the owner of a session can add to its time limit with one click. Example: 4. Default: 0, time limits
        are final.
        """,
    )
    max_extensions = Int(
        1,
        min=0,
        config=True,
        help="How often a session can be extended. Example: 3. Default: 1; needs `extension_hours`.",
    )
    max_extensions_by_size = Dict(
        Int(),
        config=True,
        help="""
        `max_extensions` of the sessions of a size, by its name in sizes.yaml. Example: {"gpu": 0}. Default: none.
        """,
    )
    max_extensions_by_role = Dict(
        Int(),
        config=True,
        help="""
        `max_extensions` of people with a role, over that of the size; of several roles the highest number applies.
        Example: {"admin": 10}. Default: none.
        """,
    )
    max_hours = Float(
        0.0,
        min=0,
        config=True,
        help="""
        Hours after its start beyond which no session can be extended. Example: 48. Default: 0, only the number of
        extensions is limited.
        """,
    )

    def limits_of(self, application: str, size: Size, roles: Iterable[str]) -> Limits:
        """Return the limits of a session that starts now, for a person with these roles."""
        idle = self.idle_minutes_by_size.get(size.name, self.idle_minutes)
        idle = self.idle_minutes_by_application.get(application, idle)
        busy = self.busy_processors_by_application.get(application, self.busy_processors)
        extensions = self.max_extensions_by_size.get(size.name, self.max_extensions)
        return Limits(
            longest_s=_highest(self.hours_by_role, roles, size.hours) * _HOUR_S,
            idle_s=idle * _MINUTE_S,
            busy_processors=busy,
            warning_s=self.warning_minutes * _MINUTE_S,
            extension_s=self.extension_hours * _HOUR_S,
            max_extensions=int(_highest(self.max_extensions_by_role, roles, extensions)),
            never_beyond_s=self.max_hours * _HOUR_S,
        )

    def problems(self, catalogue: Catalogue) -> list[ConfigurationError]:
        """Return what is wrong with these settings, for `daas-hub check-config` (see also `conflicts`)."""
        return [
            *self._unknown_names("idle_minutes_by_size", catalogue.sizes),
            *self._unknown_names("max_extensions_by_size", catalogue.sizes),
            *self._unknown_names("idle_minutes_by_application", catalogue.applications),
            *self._unknown_names("busy_processors_by_application", catalogue.applications),
            *self._too_low(),
            *self._too_short(),
        ]

    def _wrong(self, setting: str, message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"Lifetimes.{setting}", getattr(self, setting), message, remedy=remedy)

    def _unknown_names(self, setting: str, known: Mapping[str, Any]) -> list[ConfigurationError]:
        unknown = sorted(set(getattr(self, setting)) - set(known))
        remedy = f"Known: {', '.join(sorted(known)) or 'none'}."
        return [self._wrong(setting, f"names {name}, which the catalogue does not have", remedy) for name in unknown]

    def _too_low(self) -> list[ConfigurationError]:
        """Return an error for each table with a number out of range."""
        above_zero = ("busy_processors_by_application", "hours_by_role")
        from_zero = (
            "idle_minutes_by_size", "idle_minutes_by_application", "max_extensions_by_size", "max_extensions_by_role",
        )  # fmt: skip
        return [
            *(
                self._wrong(name, "has a number that is not above 0", "Remove it, or write a higher one.")
                for name in above_zero
                if any(value <= 0 for value in getattr(self, name).values())
            ),
            *(
                self._wrong(name, "has a negative number", "Write 0 to turn it off.")
                for name in from_zero
                if any(value < 0 for value in getattr(self, name).values())
            ),
        ]

    def _too_short(self) -> list[ConfigurationError]:
        """Return an error where people would be warned all the time."""
        remedy = "Make it longer, or Lifetimes.warning_minutes shorter."
        tables = (self.idle_minutes_by_size, self.idle_minutes_by_application)
        found = {"idle_minutes": [self.idle_minutes]}
        found |= {
            name: [*table.values()]
            for name, table in zip(("idle_minutes_by_size", "idle_minutes_by_application"), tables, strict=True)
        }
        return [
            self._wrong(name, "is not longer than the warning before it", remedy)
            for name, values in found.items()
            if any(0 < value <= self.warning_minutes for value in values)
        ]

    def conflicts(self) -> list[ConfigurationError]:
        """Return an error where JupyterHub's idle culler ends sessions as well: unannounced, and by another measure.

        The hub refuses to start with it.
        """
        may_end = self.idle_minutes or any(self.idle_minutes_by_size.values())
        if not (may_end or any(self.idle_minutes_by_application.values())):
            return []
        return [
            self._wrong(
                "idle_minutes",
                f"is set, and the service {name} ends idle sessions, too: without a warning, and while they compute",
                "Remove the service, or this setting.",
            )
            for name in culler_services(self.config)
        ]


def culler_services(config: Config) -> list[str]:
    """Return the names of the hub's services that run JupyterHub's idle culler."""
    services = (config.get("JupyterHub") or {}).get("services", [])
    found = []
    for service in services if isinstance(services, list) else []:
        command = service.get("command", ()) if isinstance(service, Mapping) else ()
        words = [command] if isinstance(command, str) else [str(word) for word in command]
        if any(name in word for word in words for name in _CULLER):
            found.append(str(service.get("name", "")))
    return found


def _highest(by_role: Mapping[str, float], roles: Iterable[str], otherwise: float) -> float:
    """Return the highest number of these roles, or the other one if the table has none of them."""
    return max((by_role[role] for role in roles if role in by_role), default=otherwise)
