"""Reads applications and sizes again while the hub runs: by the API of operators, or by SIGHUP.

What is read is checked as `daas-hub check-config` does, and replaces the catalogue as a whole, or not at all. Sessions
that run or start have their plan already; pages show the new applications when they are loaded next.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope

from daas_hub.admission.settings import admission_problems
from daas_hub.audit.events import record_administration
from daas_hub.catalogue import Catalogue, read_catalogue
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.portal.administration import note_action

#: What the audit calls it, and who did it when no request did.
ACTION, BY_SIGNAL = "RELOAD catalogue", "signal:SIGHUP"

_log = logging.getLogger("jupyterhub.daas")

_reloading = asyncio.Lock()
#: A loop does not keep its tasks.
_tasks: set[asyncio.Task[None]] = set()


class InvalidCatalogue(DaasError):
    """The files have problems, and nothing was changed.

    Attributes:
        problems: all of them.
    """

    reason = "document"

    def __init__(self, problems: list[DaasError]) -> None:
        super().__init__("The applications were not read again.", remedy="See `daas-hub check-config`.")
        self.problems = problems


@dataclass(frozen=True)
class Changes:
    """What a reload changed: names of applications and of sizes."""

    added: list[str]
    changed: list[str]
    removed: list[str]

    @classmethod
    def between(cls, before: Catalogue, after: Catalogue) -> Changes:
        """Return the differences; a size is "size NAME"."""
        old, new = _by_name(before), _by_name(after)
        return cls(
            added=sorted(new.keys() - old.keys()),
            changed=sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
            removed=sorted(old.keys() - new.keys()),
        )


class _FacilityWith:
    """The facility, as it would be with another catalogue."""

    def __init__(self, facility: Facility, applications: Catalogue) -> None:
        self._facility = facility
        self.applications = applications

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facility, name)


async def reload_catalogue(config: Any, spawner_class: Any) -> Changes:
    """Read the files, and let the hub use them if nothing is wrong with them.

    Args:
        spawner_class: the hub's, which checks that it can run them.

    Raises:
        InvalidCatalogue: something is; the hub keeps what it has.
    """
    facility = Facility.of(config)
    # of two at once the second reads what the first may not have seen
    async with _reloading:
        catalogue = await asyncio.to_thread(_read, facility, config, spawner_class)
        changes = Changes.between(facility.applications, catalogue)
        facility.applications, facility.problems = catalogue, []
    _log.info("applications and sizes were read again: %s", changes)
    return changes


def reload_on_signal(app: Any) -> None:
    """Reload at SIGHUP, as `systemctl reload` sends it; a hub in a terminal ends with the terminal, as before."""
    if not any(os.isatty(one) for one in range(3)):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _begin, app)


class CatalogueHandler(APIHandler):
    """`/api/daas/catalogue`: the applications and sizes of this hub."""

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """Read them again; answer with what changed, or with 422 and what is wrong."""
        try:
            changes = await reload_catalogue(self.config, self.settings["spawner_class"])
        except InvalidCatalogue as invalid:
            self.set_status(422)
            self.write({"message": str(invalid), "problems": [str(one) for one in invalid.problems]})
            return
        note_action(self, ACTION)
        self.write(asdict(changes))


def _begin(app: Any) -> None:
    task = asyncio.ensure_future(_reload_and_log(app))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _reload_and_log(app: Any) -> None:
    try:
        await reload_catalogue(app.config, app.spawner_class)
    except InvalidCatalogue as invalid:
        for one in invalid.problems:
            _log.error("%s %s", invalid.message, one)
    except Exception:
        _log.exception("the applications were not read again")
    else:
        record_administration(ACTION, BY_SIGNAL, "")


def _read(facility: Facility, config: Any, spawner_class: Any) -> Catalogue:
    """Return the catalogue of the files.

    Raises:
        InvalidCatalogue: it has problems.
    """
    catalogue, problems = read_catalogue(*(Path(folder) for folder in facility.catalogue))
    found = [*problems, *catalogue_problems(config, facility, catalogue)]
    check = getattr(spawner_class, "configuration_problems", None)
    if not found and check is not None:
        found += check(config, _FacilityWith(facility, catalogue))
    if found:
        raise InvalidCatalogue(found)
    return catalogue


def catalogue_problems(config: Any, facility: Facility, catalogue: Catalogue) -> list[DaasError]:
    """Return where other settings do not fit a catalogue, or that it is empty."""
    problems: list[DaasError] = [
        *facility.lifetimes.problems(catalogue),
        *admission_problems(
            config,
            facility.places,
            facility.zone,
            catalogue,
            sessions_per_person=facility.sessions_per_person,
        ),
    ]
    if not catalogue.applications:
        setting, value = "Facility.catalogue", list(facility.catalogue)
        remedy = "Name a folder of application files."
        problems.append(ConfigurationError(setting, value, "contains no application", remedy=remedy))
    return problems


def _by_name(catalogue: Catalogue) -> dict[str, Any]:
    sizes = {f"size {name}": one for name, one in catalogue.sizes.items()}
    return {**catalogue.applications, **sizes}


CATALOGUE_API: list[tuple[Any, ...]] = [(r"/api/daas/catalogue", CatalogueHandler)]
