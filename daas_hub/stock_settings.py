"""Which settings of the stock classes work with ours. A setting that would do nothing is refused, never ignored.

A class of ours declares every configurable trait that it inherits (`StockSettings`); a test compares the declaration
with the installed release of the base class. `problems_with` refuses what is set and does not work, when the hub starts
and in check-config alike; also what a newer base class has added and nobody has declared yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from traitlets.config import Config, Configurable
from traitlets.config.loader import LazyConfigValue

from daas_hub.errors import ConfigurationError

_OURS = "daas_hub."
_UNDECLARED = "Remove the line, or use a release of daas-hub that supports it."


@dataclass(frozen=True)
class StockSettings:
    """The inherited settings of a class, each by its name in exactly one of the two.

    Attributes:
        honoured: those that work, and where: "JupyterHub", or the module of ours.
        refused: those that do not, and what to do instead: the remedy of the error.
    """

    honoured: Mapping[str, str]
    refused: Mapping[str, str]

    def mismatches(self, cls: type[Configurable]) -> list[str]:
        """Return how this declaration differs from what `cls` inherits; [] if it is complete."""
        inherited, declared = inherited_settings(cls), set(self.honoured) | set(self.refused)
        return [
            *(f"{name} of {cls.__name__} is not declared" for name in sorted(set(inherited) - declared)),
            *(
                f"{name} is declared, and {cls.__name__} does not inherit it"
                for name in sorted(declared - set(inherited))
            ),
            *(f"{name} is declared twice" for name in sorted(set(self.honoured) & set(self.refused))),
        ]


def inherited_settings(cls: type[Configurable]) -> dict[str, type]:
    """Return the configurable traits of a class that are not defined by a class of ours, each with its class.

    What an administrator's subclass of ours defines by itself is not inherited either.
    """
    owners = {}
    ours = next((base for base in cls.__mro__ if f"{base.__module__}.".startswith(_OURS)), cls)
    for name in ours.class_traits(config=True):  # type: ignore[attr-defined]  # ours is a Configurable, as cls is
        owner = next(base for base in ours.__mro__ if name in vars(base))
        if not f"{owner.__module__}.".startswith(_OURS):
            owners[name] = owner
    return owners


def problems_with(cls: type[Configurable], config: Config, declared: StockSettings) -> list[ConfigurationError]:
    """Return an error for each inherited setting of `cls` that `config` sets and that does not work; reads only.

    A setting counts whatever its value, and in each section that configures the class: `c.Spawner` as well as
    `c.SandboxSpawner`. Its value is shown only if it can hold no secret.
    """
    inherited = inherited_settings(cls)
    problems = []
    for section, name, value in _settings_for(cls, config):
        if name not in inherited or name in declared.honoured:
            continue
        shown = value if value is None or isinstance(value, bool | int | float) else "(set)"
        if name in declared.refused:
            message, remedy = f"does not apply to {cls.__name__}", declared.refused[name]
        else:
            message, remedy = (
                f"is a setting of {inherited[name].__name__} that {cls.__name__} does not support",
                _UNDECLARED,
            )
        problems.append(ConfigurationError(f"{section}.{name}", shown, message, remedy=remedy))
    return problems


def is_set(cls: type[Configurable], config: Config, name: str) -> bool:
    """Return whether `config` sets this setting of `cls`, in any section that configures the class."""
    return any(one == name for _, one, _ in _settings_for(cls, config))


def value_of(cls: type[Configurable], config: Config, name: str) -> object:
    """Return what `config` sets for this setting of `cls`; None if it sets nothing."""
    return next((value for _, one, value in _settings_for(cls, config) if one == name), None)


def _settings_for(cls: type[Configurable], config: Config) -> Iterator[tuple[str, str, object]]:
    """Yield section, name and value of all that configures a class, what takes precedence first."""
    sections = [base.__name__ for base in cls.__mro__ if issubclass(base, Configurable)]
    for prefix, holder in (("JupyterHub.", config.get("JupyterHub") or {}), ("", config)):
        for section in sections:
            if not isinstance(holder.get(section), Config):
                continue
            for name, value in holder[section].items():
                # c.Spawner.args was read and left alone
                if not (isinstance(value, LazyConfigValue) and not value.to_dict()):
                    yield f"{prefix}{section}", name, value
