"""Runs all checks, from the configuration file to a session; each step decides what the next one can check."""

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
from daas_hub.commands.doctor.mail import check_mail
from daas_hub.commands.doctor.people import Person, ask_about, ask_about_nobody, check_contracts
from daas_hub.commands.doctor.places import check_directories, plan_latest
from daas_hub.commands.doctor.remedies import remedy_for
from daas_hub.commands.doctor.site import check_site
from daas_hub.commands.show import read_config
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.findings import Finding, Verdict, not_checked, ok, problem


@dataclass(frozen=True)
class Login:
    """The login to run the checks as.

    Attributes:
        issuer: "" for the first one configured.
        claims: those the account sources read.
        access_token: the provider's, for sources that are queried on behalf of the person.
    """

    subject: str
    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict, hash=False)
    access_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class SignIn:
    """A login made for the checks: they then run as the person who signs in.

    Attributes:
        method: the name of the login method; "" for the first that supports this.
        show: shows the person where to sign in.
    """

    method: str
    show: Callable[[str], None]


async def examine(file: Path, login: Login | SignIn | None = None, mail_to: str = "") -> list[Finding]:
    """Run all checks of a site.

    Args:
        login: the person to run them as; None for the checks that need no person.
        mail_to: where to send a test message; "" for none.
    """
    findings = _file(file)
    if any(one.verdict is Verdict.PROBLEM for one in findings):
        findings.append(not_checked("site.asked", "check the services", "the configuration has problems"))
        return findings
    config = read_config(file)
    Facility.clear_instance()
    facility = Facility.of(config)
    findings += await check_site(file, config, facility)
    findings += await check_mail(config, mail_to)
    authenticator = _class_of(config, "authenticator_class", "jupyterhub.authenticators")(config=config)
    issuers = tuple(getattr(authenticator, "issuers", ()))
    if hasattr(authenticator, "examine"):
        findings += await authenticator.examine(facility, login.access_token if isinstance(login, Login) else "")
    identity, found = await _person_of(login, authenticator, facility, issuers)
    findings += found
    findings += await ask_about_nobody(facility, issuers, for_person=identity is not None)
    spawner = _class_of(config, "spawner_class", "jupyterhub.spawners")
    if identity is None:
        why = "it needs a person: --as SUBJECT, or --login"
        findings.append(not_checked("directories.asked", "open the directories of a person", why))
        findings += await _check_backend(spawner, config, facility, None)
        return findings
    person = Person()
    findings += await ask_about(facility, identity, person)
    plan = None
    if person.account is not None and not _opens_directories(spawner, config):
        why = "this machine does not have the storage: a session looks for its directories itself when it starts"
        findings.append(not_checked("directories.asked", "open the directories of a person", why))
        found, plan = await plan_latest(facility, identity, person.proposals)
        findings += found
    elif person.account is not None:
        found, plan = await check_directories(facility, identity, person.account, person.proposals)
        findings += found
    findings += await _check_backend(spawner, config, facility, plan)
    findings += await check_contracts(facility, person)
    return findings


async def _person_of(
    login: Login | SignIn | None, authenticator: Any, facility: Facility, issuers: Sequence[str]
) -> tuple[Identity | None, list[Finding]]:
    """Return the identity to run the checks as: as given, or as the person proves by signing in now."""
    if login is None:
        return None, []
    if isinstance(login, Login):
        issuer = login.issuer or (issuers[0] if issuers else "")
        received_at = time.time()
        return Identity(issuer, login.subject, "", login.claims, received_at, access_token=login.access_token), []
    if not hasattr(authenticator, "test_login"):
        check = f"sign in through {type(authenticator).__name__}"
        return None, [not_checked("login.test", check, "it does not support this: sign in once in a browser")]
    found: tuple[Identity | None, list[Finding]] = await authenticator.test_login(facility, login.method, login.show)
    return found


def _file(file: Path) -> list[Finding]:
    """Read the configuration as the hub does (see `daas_hub.commands.check_config`)."""
    check = f"read {file} as the hub does"
    problems = check_config(file)
    return [_as_finding(check, one) for one in problems] or [ok("configuration.file", check)]


def _as_finding(check: str, error: DaasError) -> Finding:
    setting = error.setting if isinstance(error, ConfigurationError) else "document"
    return problem(f"configuration.{setting}", check, error.message, error.remedy or remedy_for(error.kind))


def _class_of(config: Config, setting: str, group: str) -> Any:
    """Return the class that the configuration names, by entry point."""
    wanted = config.JupyterHub.get(setting)
    if not isinstance(wanted, str):
        return wanted
    return {entry.name: entry for entry in entry_points(group=group)}[wanted].load()


def _opens_directories(spawner: Any, config: Config) -> bool:
    """Return whether the hub opens the directories of a launch itself, and not only the machine of a session."""
    backends = spawner.backends(config) if hasattr(spawner, "backends") else []
    return not backends or any(getattr(one, "hub_has_storage", True) for one in backends)


async def _check_backend(spawner: Any, config: Config, facility: Facility, plan: Any) -> list[Finding]:
    """Let the backend check whether it can run sessions, and run one if there is a plan for it."""
    if not hasattr(spawner, "examine"):
        return [not_checked("sessions.backend", f"check that {spawner.__name__} can run sessions", "it has no checks")]
    findings: list[Finding] = await spawner.examine(config, facility, plan)
    return findings
