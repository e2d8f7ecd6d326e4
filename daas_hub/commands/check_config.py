"""Reads a jupyterhub_config.py as the hub does, without starting it, and collects every problem with its fix."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from traitlets import HasTraits, TraitError
from traitlets.config import Config, Configurable
from traitlets.config.loader import ConfigFileNotFound, LazyConfigValue, PyFileConfigLoader
from traitlets.utils.importstring import import_item

from daas_hub.accounts.factories import SETTINGS
from daas_hub.admission.settings import Queue, Quotas
from daas_hub.audit.settings import Audit
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.mail import Mail, mail_problems
from daas_hub.policy import EndDates, Lifetimes, MountRules, Places, ProposalAccounts, RoleRules
from daas_hub.portal.catalogue_reload import catalogue_problems
from daas_hub.renamed_settings import new_name, renamed_settings
from daas_hub.sources import PROPOSALS_GROUP


def check_config(file: Path) -> list[DaasError]:
    """Return all problems of a configuration, each naming the trait, its value and the fix; [] if the hub can start."""
    try:
        config = PyFileConfigLoader(file.name, path=str(file.resolve().parent)).load_config()
    except ConfigFileNotFound:
        return [ConfigurationError("file", str(file), "there is no such file", remedy="Give the path of your file.")]
    except DaasError as error:
        return [error]
    except (Exception, SystemExit) as error:  # the file is Python and can raise anything
        return [
            ConfigurationError(
                "file", str(file), f"{type(error).__name__}: {error}", remedy="Correct the Python code of the file."
            )
        ]
    problems: list[DaasError] = []
    classes = _classes(config, problems)
    problems += renamed_settings(config)
    for section in config:
        problems += _unknown_or_wrong(config, section, classes)
    if not problems:
        problems += _own_checks(config, classes)
    problems += _secrets(config)
    return problems


def _classes(config: Config, problems: list[DaasError]) -> list[type[Configurable]]:
    """Return the classes this configuration can set: ours, the hub's, and those it selects by name."""
    from jupyterhub.app import JupyterHub
    from jupyterhub.crypto import CryptKeeper
    from jupyterhub.proxy import ConfigurableHTTPProxy

    found: list[type[Configurable]] = [
        Audit,
        Facility,
        Lifetimes,
        MountRules,
        Places,
        Queue,
        Quotas,
        RoleRules,
        EndDates,
        Mail,
        ProposalAccounts,
        *SETTINGS,
        JupyterHub,
        CryptKeeper,
        ConfigurableHTTPProxy,
    ]
    for setting, group in (
        ("authenticator_class", "jupyterhub.authenticators"),
        ("spawner_class", "jupyterhub.spawners"),
        ("proxy_class", "jupyterhub.proxies"),
    ):
        wanted = config.JupyterHub.get(setting)
        if isinstance(wanted, type) and issubclass(wanted, Configurable):
            found.append(wanted)
        if not isinstance(wanted, str):
            continue
        known = {entry.name: entry for entry in entry_points(group=group)}
        if wanted in known:
            try:
                found.append(known[wanted].load())
            except TraitError as error:  # a library of an extra is missing; the hub says the same
                problems.append(ConfigurationError(f"JupyterHub.{setting}", wanted, str(error)))
        elif "." not in wanted:
            near = get_close_matches(wanted, known, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
            problems.append(ConfigurationError(f"JupyterHub.{setting}", wanted, "is not installed", remedy=remedy))
        else:
            with suppress(ImportError):  # reported as a value that the trait does not accept
                found.append(import_item(wanted))
    # a spawner may have others behind it
    for cls in [one for one in found if hasattr(one, "backend_classes")]:
        found += cls.backend_classes(config)
    return found + _source_classes(config)


def _source_classes(config: Config) -> list[type[Configurable]]:
    """Return the classes of the selected sources; the facility itself reports unknown names."""
    known = {entry.name: entry for entry in entry_points(group=PROPOSALS_GROUP)}
    wanted = config.Facility.get("proposals", [])
    names = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    sources = [known[name].load() for name in names if name in known]
    return [source for source in sources if isinstance(source, type) and issubclass(source, Configurable)]


def _unknown_or_wrong(config: Config, section: str, classes: list[type[Configurable]]) -> list[DaasError]:
    """Check each value against its trait. A misspelt name is an error: silently ignored, it could let everybody in.

    A section configures the class of its name and every class made from it: `c.Spawner` also sets what only the chosen
    spawner has.
    """
    names = {base.__name__ for cls in classes for base in cls.__mro__ if issubclass(base, Configurable)}
    if section not in names:
        # the file may import another class of this name: report only a likely misspelling
        near = get_close_matches(section, names, n=1, cutoff=0.85)
        if not near:
            return []
        shown = {name: _shown(name, value) for name, value in config[section].items()}
        return [ConfigurationError(section, shown, "there is no such class", remedy=f"Did you mean {near[0]}?")]
    problems: list[DaasError] = []
    traits: dict[str, Any] = {}
    for cls in classes:
        if section in {base.__name__ for base in cls.__mro__}:
            traits |= cls.class_traits(config=True)
    for name, value in config[section].items():
        setting = f"{section}.{name}"
        if new_name(section, name):
            continue  # reported already
        if name not in traits:
            near = get_close_matches(name, traits, n=1)
            remedy = f"Did you mean {section}.{near[0]}?" if near else "Remove the line."
            problems.append(ConfigurationError(setting, _shown(name, value), "there is no such setting", remedy=remedy))
            continue
        if isinstance(value, LazyConfigValue):
            continue
        try:
            traits[name]._validate(_Holder(), value)
        except TraitError:
            wanted = traits[name].info()
            problems.append(
                ConfigurationError(setting, _shown(name, value), "has the wrong type", remedy=f"It must be {wanted}.")
            )
    return problems


class _Holder(HasTraits):
    """An object to validate traits for, without creating the real one."""


def _own_checks(config: Config, classes: list[type[Configurable]]) -> list[DaasError]:
    """Create the facility and the authenticator, which check what types cannot express."""
    from jupyterhub.auth import Authenticator

    problems: list[DaasError] = []
    Facility.clear_instance()
    try:
        facility = Facility(config=config)
        problems += facility.problems
        problems += mail_problems(config)
        problems += catalogue_problems(config, facility, facility.applications)
        facility.require_safe_address(str(config.JupyterHub.get("bind_url", "http://:8000")))
        # our spawners know what they need; one with others behind it checks them itself
        behind = [one for cls in classes if hasattr(cls, "backend_classes") for one in cls.backend_classes(config)]
        for cls in classes:
            if hasattr(cls, "configuration_problems") and cls not in behind:
                problems += cls.configuration_problems(config, facility)
    except DaasError as error:
        problems.append(error)
    for cls in classes:
        if issubclass(cls, Authenticator):
            try:
                cls(config=config)
            except DaasError as error:
                if str(error) not in map(str, problems):
                    problems.append(error)
    return problems


def _secrets(config: Config) -> list[DaasError]:
    """Check that other users cannot read the files with secrets."""
    problems: list[DaasError] = []
    for setting in ("cookie_secret_file",):
        name = config.JupyterHub.get(setting)
        if isinstance(name, str) and Path(name).exists() and Path(name).stat().st_mode & 0o077:
            problems.append(
                ConfigurationError(
                    f"JupyterHub.{setting}", name, "can be read by other users", remedy=f"chmod 600 {name}"
                )
            )
    return problems


def _shown(name: str, value: object) -> object:
    """Return a value for printing, with secrets masked at any depth."""
    if any(word in name for word in ("secret", "token", "password", "keys")):
        return "(not shown)"
    if isinstance(value, Mapping):
        return {key: _shown(str(key), one) for key, one in value.items()}
    return [_shown("", one) for one in value] if isinstance(value, list | tuple) else value
