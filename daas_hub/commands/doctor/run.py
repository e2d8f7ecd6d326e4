"""One examination, from the file to a session: what each step finds decides what the next can ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from traitlets.config import Config

from daas_hub.accounts import Identity
from daas_hub.commands.check_config import check_config
from daas_hub.commands.doctor.people import Person, ask_about, ask_about_nobody, hold_against_contracts
from daas_hub.commands.doctor.places import look_at_directories
from daas_hub.commands.doctor.remedies import remedy_for
from daas_hub.commands.doctor.site import look_at_site
from daas_hub.commands.show import read_config
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.findings import Finding, Verdict, not_checked, ok, problem


@dataclass(frozen=True)
class Login:
    """The login of a person the examination is about.

    Attributes:
        issuer: "" for the one that is configured.
        claims: those that the account sources read.
        access_token: the provider's, for sources that are asked in the person's name.
    """

    subject: str
    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict, hash=False)
    access_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class SignIn:
    """A login that is made for the examination: it is then about whoever signed in.

    Attributes:
        way: the name of the way in; "" for the first that can.
        tell: shows the person where to sign in, while it is waited for them.
    """

    way: str
    tell: Callable[[str], None]


async def examine(file: Path, login: Login | SignIn | None = None) -> list[Finding]:
    """Examine a site.

    Args:
        login: whose sessions are tried; None examines what concerns nobody in particular.
    """
    findings = _file(file)
    if any(one.verdict is Verdict.PROBLEM for one in findings):
        findings.append(not_checked("site.asked", "looked at the site", "the file is not in order"))
        return findings
    config = read_config(file)
    Facility.clear_instance()
    facility = Facility.of(config)
    findings += await look_at_site(file, config, facility)
    door = _door(config, "authenticator_class", "jupyterhub.authenticators")(config=config)
    issuers = tuple(getattr(door, "issuers", ()))
    if hasattr(door, "examine"):
        findings += await door.examine(facility, login.access_token if isinstance(login, Login) else "")
    identity, found = await _who(login, door, facility, issuers)
    findings += found
    findings += await ask_about_nobody(facility, issuers, for_person=identity is not None)
    spawner = _door(config, "spawner_class", "jupyterhub.spawners")
    if identity is None:
        why = "it is done for a person: --as SUBJECT, or --login"
        findings.append(not_checked("directories.asked", "opened directories", why))
        findings += await _try(spawner, config, facility, None)
        return findings
    person = Person()
    findings += await ask_about(facility, identity, person)
    plan = None
    if person.account is not None:
        found, plan = await look_at_directories(facility, identity, person.account, person.proposals)
        findings += found
    findings += await _try(spawner, config, facility, plan)
    findings += await hold_against_contracts(facility, person)
    return findings


async def _who(
    login: Login | SignIn | None, door: Any, facility: Facility, issuers: Sequence[str]
) -> tuple[Identity | None, list[Finding]]:
    """Return whom the examination is about: as it was said, or as the person proves now."""
    if login is None:
        return None, []
    if isinstance(login, Login):
        issuer = login.issuer or (issuers[0] if issuers else "")
        told_at = time.time()
        return Identity(issuer, login.subject, "", login.claims, told_at, access_token=login.access_token), []
    if not hasattr(door, "test_login"):
        did = f"had a person sign in through {type(door).__name__}"
        return None, [not_checked("login.test", did, "it has no such login: sign in once in a browser")]
    told: tuple[Identity | None, list[Finding]] = await door.test_login(facility, login.way, login.tell)
    return told


def _file(file: Path) -> list[Finding]:
    """Read it as the hub would (see `daas_hub.commands.check_config`)."""
    did = f"read {file} as the hub would"
    problems = check_config(file)
    return [_as_finding(did, one) for one in problems] or [ok("configuration.file", did)]


def _as_finding(did: str, error: DaasError) -> Finding:
    setting = error.setting if isinstance(error, ConfigurationError) else "document"
    return problem(f"configuration.{setting}", did, error.message, error.remedy or remedy_for(error.kind))


def _door(config: Config, setting: str, group: str) -> Any:
    """Return the class that the configuration chooses; doors are found by entry point."""
    wanted = config.JupyterHub.get(setting)
    if not isinstance(wanted, str):
        return wanted
    return {entry.name: entry for entry in entry_points(group=group)}[wanted].load()


async def _try(spawner: Any, config: Config, facility: Facility, plan: Any) -> list[Finding]:
    """Have the backend say whether it can run sessions, and run one where there is something to show it."""
    if not hasattr(spawner, "examine"):
        return [
            not_checked("sessions.backend", f"asked {spawner.__name__} whether it can run sessions", "it cannot say")
        ]
    findings: list[Finding] = await spawner.examine(config, facility, plan)
    return findings
