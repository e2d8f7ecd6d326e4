"""The sources of proposals that are asked over HTTP, each with its stand-in: one table for the tests of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from daas_hub.accounts import Account, Identity
from daas_hub.proposals.http_source import ProposalService
from daas_hub.proposals.sources.calipsoplus import CalipsoplusProposals
from daas_hub.proposals.sources.icat import IcatProposals
from daas_hub.proposals.sources.icatplus import IcatPlusProposals
from daas_hub.proposals.sources.ispyb import IspybProposals
from daas_hub.proposals.sources.scicat import SciCatProposals
from daas_hub.proposals.sources.useroffice import UserOfficeProposals
from tests.stand_ins import calipsoplus, icat, icatplus, ispyb, scicat, useroffice

ISSUER = "https://keycloak.facility.org/realms/users"
TOKEN = "token-of-anna"
PASSWORD = "portal-password"
#: An account that has proposals at every stand-in.
ANNA = Account(
    "anna",
    25001,
    25001,
    (26001, 26002),
    {26001: "p12345", 26002: "mx12345"},
    login=Identity(ISSUER, "subject-of-anna", access_token=TOKEN),
)


@dataclass
class Case:
    """A source and its stand-in."""

    source: type[ProposalService]
    service: Callable[[], Any]
    path: str
    settings: dict[str, Any]
    #: the setting that names the file with the portal's secret, and the secret
    secret: tuple[str, str] = ("", "")
    #: where it logs in: tried with faults of its own
    login: str = ""
    #: a document of the right type that is not the right one
    wrong: list[str] = field(default_factory=list)
    #: what makes the portal's login, or the person's, worthless at the stand-in
    ends_login: Callable[[Any], None] | None = None
    #: what makes it know nobody and nothing
    empties: Callable[[Any], None] | None = None

    def stand_in(self) -> web.Application:
        """Return the service as an application."""
        application: web.Application = self.service().app()
        return application

    def settings_with(self, secret_file: Callable[[str], str]) -> dict[str, Any]:
        """Return the settings, with the secret in a file."""
        name, secret = self.secret
        return self.settings | ({name: secret_file(secret)} if name else {})


def known_office() -> calipsoplus.UserOffice:
    return calipsoplus.UserOffice(experiments={"anna": [calipsoplus.experiment(1)]})


def open_office() -> calipsoplus.UserOffice:
    """Return an office that asks for no login, on a network of its own for instance, until it does."""
    return calipsoplus.UserOffice(experiments={"anna": [calipsoplus.experiment(1)]}, user="")


CASES = {
    "calipsoplus": Case(
        CalipsoplusProposals,
        known_office,
        "/services/experiments/$USERNAME/",
        {"user": "portal"},
        ("password_file", PASSWORD),
        wrong=["[]", "{}", '{"results": {}}', '{"results": null, "next": null}'],
        ends_login=lambda office: setattr(office, "password", "another"),
        empties=lambda office: office.experiments.clear(),
    ),
    "calipsoplus without a login": Case(
        CalipsoplusProposals,
        open_office,
        "/services/experiments/$USERNAME/",
        {},
        ends_login=lambda office: setattr(office, "user", "portal"),
        empties=lambda office: office.experiments.clear(),
    ),
    "icat": Case(
        IcatProposals,
        icat.Icat,
        "/icat",
        {"user": "daas"},
        ("password_file", PASSWORD),
        login="/session",
        wrong=["{}", '[{"Dataset": {}}]', "[[1, 2]]", "[null]"],
        ends_login=lambda server: (server.sessions.clear(), setattr(server, "password", "another")),
        empties=lambda server: server.people["users"].clear(),
    ),
    "icatplus": Case(
        IcatPlusProposals,
        icatplus.IcatPlus,
        "",
        {"issuer": ISSUER},
        login="/session",
        wrong=["{}", '{"investigations": []}'],
        ends_login=lambda server: setattr(server, "plugin", "one that does not know these tokens"),
        empties=lambda server: server.investigations["participant"].clear(),
    ),
    "ispyb": Case(
        IspybProposals,
        ispyb.Ispyb,
        ispyb.ROOT,
        {"user": "daas", "plugin": "ldap", "group_pattern": "(?P<proposal>mx[0-9]+)"},
        ("password_file", PASSWORD),
        login="/auth/login",
        wrong=["[]"],
        ends_login=lambda server: (server.tokens.clear(), setattr(server, "password", "another")),
        empties=lambda server: server.proposals.remove(ispyb.MX),
    ),
    "ispyb in the person's name": Case(
        IspybProposals,
        ispyb.Ispyb,
        ispyb.ROOT,
        {"issuer": ISSUER},
        login="/auth/login",
        wrong=["[]", "{}", '{"total": 1}', '{"total": "1", "results": []}', '{"total": 1, "results": {}}'],
        ends_login=lambda server: (server.tokens.clear(), setattr(server, "plugins", ("ldap",))),
        empties=lambda server: server.sessions.clear(),
    ),
    "scicat": Case(
        SciCatProposals,
        scicat.SciCat,
        "/api/v3",
        {"user": "reader"},
        ("password_file", PASSWORD),
        login="/auth/login",
        wrong=["{}", '{"statusCode": 200}'],
        ends_login=lambda server: (server.tokens.clear(), setattr(server, "password", "another")),
        empties=lambda server: server.proposals.clear(),
    ),
    "scicat with a token in a file": Case(
        SciCatProposals,
        lambda: scicat.SciCat(tokens=["token-of-a-file"]),
        "/api/v3",
        {},
        ("token_file", "token-of-a-file"),
        wrong=["{}"],
        ends_login=lambda server: server.tokens.clear(),
        empties=lambda server: server.proposals.clear(),
    ),
    "useroffice": Case(
        UserOfficeProposals,
        useroffice.UserOffice,
        "/graphql",
        {"issuer": ISSUER},
        ("token_file", "portal-token"),
        wrong=["[]", "{}", '{"data": {}}'],
        ends_login=lambda office: setattr(office, "token_is", "deleted"),
        empties=lambda office: office.proposals.pop("subject-of-anna"),
    ),
    "useroffice with a token that ends": Case(
        UserOfficeProposals,
        useroffice.UserOffice,
        "/graphql",
        {"issuer": ISSUER, "known_subject": "subject-of-ben"},
        ("token_file", "portal-token"),
        ends_login=lambda office: setattr(office, "token_is", "expired"),
        empties=lambda office: office.proposals.pop("subject-of-anna"),
    ),
}
