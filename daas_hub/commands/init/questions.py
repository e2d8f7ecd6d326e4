"""What `daas-hub init` asks, and what an answer must be. Each answer is checked when it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from traitlets.config import Config

from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.policy import MountRules
from daas_hub.services.secret_file import read_secret
from daas_hub.services.web_proxy import LOOPBACK

Answers = Mapping[str, str]

#: Debian's own bundle of authorities, which is right unless the facility has an authority of its own.
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class WrongAnswer(DaasError):
    """An answer that cannot work; the text says what would be accepted."""

    reason = "configuration"


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        name: its name in an answers file and on the command line.
        check: raises WrongAnswer for an answer that cannot work; never called for an empty one.
        default: taken for an empty answer; None where an answer is needed.
        when: whether it is asked at all, after the answers before it.
        secret: typed without echo; in an answers file, the path of a private file that holds it.
    """

    name: str
    text: str
    check: Callable[[str], None]
    default: str | None = None
    when: Callable[[Answers], bool] = lambda _answers: True
    secret: bool = False

    def accepted(self, answer: str) -> str:
        """Return the answer, or the default for none.

        Raises:
            WrongAnswer: it cannot work, or one is needed.
        """
        answer = answer.strip()
        if not answer:
            if self.default is None:
                raise WrongAnswer(f"{self.name} needs an answer.")
            return self.default
        self.check(answer)
        return answer


def one_of(*choices: str) -> Callable[[str], None]:
    """Return a check for one of these words."""

    def check(answer: str) -> None:
        if answer not in choices:
            raise WrongAnswer(f"{answer!r} is not one of: {', '.join(choices)}.")

    return check


def text(answer: str) -> None:
    """Accept one line of text."""
    if not answer.isprintable() or len(answer) > 300:
        raise WrongAnswer("One line of at most 300 characters, please.")


def url(answer: str) -> None:
    """Accept an https address; http on this machine only."""
    try:
        parts = urlsplit(answer)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise WrongAnswer(f"{answer!r} is not an address: {error}.") from None
    if not host or parts.scheme not in ("http", "https") or re.search(r"[\s\"'<>]", answer):
        raise WrongAnswer(f"{answer!r} is not an address, like https://daas.facility.org/.")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise WrongAnswer(f"{answer!r} must begin with https:// (plain http is for this machine only).")


def public_url(answer: str) -> None:
    """Accept the address of a portal: https, with nothing after its path."""
    url(answer)
    parts = urlsplit(answer)
    plain_path = re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", parts.path)
    if parts.scheme != "https" or parts.query or parts.fragment or not plain_path:
        raise WrongAnswer(f"{answer!r} must be https:// with at most a path, like https://www.facility.org/daas/.")


def ldap_server(answer: str) -> None:
    """Accept a directory's address."""
    if not re.fullmatch(r"ldaps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", answer):
        raise WrongAnswer(f"{answer!r} is not a directory's address, like ldaps://ldap.facility.org.")


def distinguished_name(answer: str) -> None:
    """Accept a search base."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*=[^,=]+(,[A-Za-z][A-Za-z0-9-]*=[^,=]+)*", answer):
        raise WrongAnswer(f"{answer!r} is not a search base, like ou=people,dc=facility,dc=org.")


def file(answer: str) -> None:
    """Accept a file that can be read."""
    if not answer.startswith("/") or not Path(answer).is_file():
        raise WrongAnswer(f"{answer} is not the absolute path of a file.")


def directory(answer: str) -> None:
    """Accept an absolute path."""
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+/?", answer):
        raise WrongAnswer(f"{answer!r} is not an absolute path of letters, digits, '.', '_' and '-'.")


def group_pattern(answer: str) -> None:
    """Accept a regular expression with a part called proposal."""
    try:
        named = re.compile(answer).groupindex
    except re.error as error:
        raise WrongAnswer(f"{answer!r} is not a regular expression: {error}.") from None
    if "proposal" not in named:
        raise WrongAnswer(f"{answer!r} has no part (?P<proposal>...), like (?P<proposal>p[0-9]{{5}}).")


def port(answer: str) -> None:
    """Accept the first of three ports."""
    if not answer.isdecimal() or not 1024 <= int(answer) <= 65533:
        raise WrongAnswer(f"{answer!r} is not a port from 1024 to 65533 (the two after it are used, too).")


def registry(answer: str) -> None:
    """Accept the beginning of an image's name."""
    host, *path = answer.split("/")
    named = host == "localhost" or re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]{1,5})?|[a-z0-9-]+:[0-9]{1,5}", host)
    if not named or not all(re.fullmatch(r"[a-z0-9]+([._-]+[a-z0-9]+)*", part) for part in path):
        raise WrongAnswer(f"{answer!r} does not begin with a registry's name, like registry.facility.org/daas.")


def template(setting: str) -> Callable[[str], None]:
    """Return a check that asks the setting's own class."""

    def check(answer: str) -> None:
        value = [answer] if setting == "data" else answer
        try:
            MountRules(config=Config({"MountRules": {setting: value}})).policy("/var/lib/daas-hub")
        except ConfigurationError as error:
            raise WrongAnswer(error.message, remedy=error.remedy) from None

    return check


def secret_file(answer: str) -> None:
    """Accept a private file with one line."""
    try:
        read_secret("secret", answer)
    except ConfigurationError as error:
        raise WrongAnswer(error.message, remedy=error.remedy) from None


def _is(name: str, *values: str) -> Callable[[Answers], bool]:
    return lambda answers: answers.get(name) in values


ACCOUNTS = ("table", "ldap", "nss", "claims")
PROPOSALS = ("static", "groups", "calipsoplus", "icat", "icatplus", "scicat", "ispyb", "useroffice")
#: sources that have a login, or a token, of the portal's own
WITH_USER = ("calipsoplus", "icat", "scicat")
WITH_SECRET = (*WITH_USER, "useroffice")
OVER_HTTP = PROPOSALS[2:]

FACILITY = Question("facility", "Name of the facility, shown on every page", text)
HELP = Question("help", "Whom users ask for help, in one sentence (may be empty)", text, "")
PUBLIC_URL = Question("public_url", "Address of the portal in a browser, like https://daas.facility.org/", public_url)
ISSUER = Question("issuer", "Issuer of the OpenID provider, like https://keycloak.facility.org/realms/users", url)
CLIENT_ID = Question("client_id", "The portal's client id there", text, "daas-hub")
CLIENT_SECRET = Question(
    "client_secret_file", "The client's secret (Enter: put it into its file later)", secret_file, "", secret=True
)
LDAP_CA = Question(
    "ldap_ca",
    "File with the authority of the directory's certificate",
    file,
    SYSTEM_AUTHORITIES,
    _is("accounts", "ldap"),
)
STATE = Question("state", "Directory for the portal's own data", directory, "/var/lib/daas-hub")
PORT = Question("port", "Port on 127.0.0.1 for the web server in front; the next two are internal", port, "8000")

QUESTIONS = (
    FACILITY,
    HELP,
    PUBLIC_URL,
    ISSUER,
    CLIENT_ID,
    CLIENT_SECRET,
    Question("accounts", f"Where accounts come from: {', '.join(ACCOUNTS)}", one_of(*ACCOUNTS), "table"),
    Question("ldap_server", "The directory, like ldaps://ldap.facility.org", ldap_server, when=_is("accounts", "ldap")),
    Question(
        "ldap_people", "Search base of people, like ou=people,dc=facility,dc=org", distinguished_name,
        when=_is("accounts", "ldap"),
    ),
    Question(
        "ldap_groups", "Search base of groups (may be empty)", distinguished_name, "", when=_is("accounts", "ldap")
    ),
    LDAP_CA,
    Question("proposals", f"Where proposals come from: {', '.join(PROPOSALS)}", one_of(*PROPOSALS), "static"),
    Question(
        "proposals_url", "Address of that service (calipsoplus: with $USERNAME in it)", url,
        when=_is("proposals", *OVER_HTTP),
    ),
    Question("proposals_user", "The portal's own login there", text, when=_is("proposals", *WITH_USER)),
    Question(
        "proposals_secret_file", "Its password or token (Enter: put it into its file later)", secret_file, "",
        when=_is("proposals", *WITH_SECRET), secret=True,
    ),
    Question(
        "group_pattern", "Pattern of a proposal's group, like (?P<proposal>p[0-9]{5})", group_pattern,
        when=_is("proposals", "groups"),
    ),
    Question("sessions", "Where sessions run: sandbox (this machine), docker", one_of("sandbox", "docker"), "sandbox"),
    Question(
        "registry", "What the images are called before their own name", registry, "localhost/daas-hub",
        when=_is("sessions", "docker"),
    ),
    Question(
        "data", "Raw data of a visit, like /data/visitor/{proposal}/{beamline}/{visit}", template("data"),
    ),
    Question("processed", "Processed data of a proposal (Enter: below the portal's own)", template("processed"), ""),
    Question("home", "Home of a person, like /home/{account} (Enter: below the portal's own)", template("home"), ""),
    STATE,
    PORT,
)  # fmt: skip
