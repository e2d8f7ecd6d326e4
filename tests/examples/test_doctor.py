"""Sites with one thing broken: the doctor finds it, at the right place, and says the right remedy (EL24, PS07).

Each row breaks one thing of one example: a line of its configuration, a service, a directory, a file's mode. Two texts
must be found in one finding: what came, and what to do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from tests.examples.site import Site
from tests.stand_ins.faults import FAULTS, Fault, says

pytestmark = pytest.mark.sandbox

Break = Callable[[Site], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Row:
    """One broken site.

    Attributes:
        change: (what stands in the configuration, what takes its place); or a line that is added.
        how: breaks something else for the time of the examination.
        key: where it is told.
        got, remedy: regular expressions of what came and of what to do.
        verdict: how it is told.
    """

    name: str
    example: str
    key: str
    got: str
    remedy: str
    change: tuple[str, str] | str = ""
    how: Break = lambda _: nullcontext()
    verdict: str = "problem"
    login: tuple[tuple[str, Any], ...] = ()


def answers(fault: Fault) -> Break:
    """Have the catalogue answer so."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        site.fault.append(fault)
        try:
            yield
        finally:
            site.fault.clear()

    return broken


def without(path: str) -> Break:
    """Have a directory not be there."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        place = site.path(path)
        place.rename(place.with_name("gone"))
        try:
            yield
        finally:
            place.with_name("gone").rename(place)

    return broken


def mode(path: str, wrong: int, *, gid: int | None = None) -> Break:
    """Have a directory with another mode or group."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        place = site.path(path)
        before = place.stat()
        place.chmod(wrong)
        if gid is not None:
            os.chown(place, -1, gid)
        try:
            yield
        finally:
            os.chown(place, -1, before.st_gid)
            place.chmod(before.st_mode & 0o7777)

    return broken


def beside(path: str) -> Break:
    """Have one directory more."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        place = site.path(path)
        place.mkdir(parents=True)
        try:
            yield
        finally:
            place.rmdir()

    return broken


def linked(path: str) -> Break:
    """Have a directory be a link to another one."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        place = site.path(path)
        place.rename(place.with_name("real"))
        place.symlink_to("real")
        try:
            yield
        finally:
            place.unlink()
            place.with_name("real").rename(place)

    return broken


def emptied(path: str) -> Break:
    """Have nothing in a directory."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        (site.path(path) / "scan_0001.h5").rename(site.folder / "kept")
        try:
            yield
        finally:
            (site.folder / "kept").rename(site.path(path) / "scan_0001.h5")

    return broken


def file(name: str, *, mode: int | None = None, text: str | None = None, gone: bool = False) -> Break:
    """Have a file of the site with another mode, another text, or not at all."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        path = site.folder / name
        before, status = path.read_bytes() if path.is_file() else b"", path.stat()
        if text is not None:
            path.write_text(text)
        if mode is not None:
            path.chmod(mode)
        if gone:
            path.rename(path.with_name("gone"))
        try:
            yield
        finally:
            if gone:
                path.with_name("gone").rename(path)
            if text is not None:
                path.write_bytes(before)
            path.chmod(status.st_mode & 0o7777)

    return broken


def stopped_directory(site: Site) -> AbstractContextManager[None]:
    """Have slapd not run."""

    @contextmanager
    def broken() -> Iterator[None]:
        site.directory.stop()
        try:
            yield
        finally:
            site.directory.start()

    return broken()


def set_on(**values: Any) -> Break:
    """Have the stand-in know something else."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        before = {name: getattr(site.stand_in, name) for name in values}
        for name, value in values.items():
            setattr(site.stand_in, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(site.stand_in, name, value)

    return broken


def experiments(**changed: Any) -> Break:
    """Have the user office tell its experiment otherwise."""

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        before = site.stand_in.experiments
        site.stand_in.experiments = {person: [one | changed for one in told] for person, told in before.items()}
        try:
            yield
        finally:
            site.stand_in.experiments = before

    return broken


def records(attribute: str, field: str, value: Any = None) -> Break:
    """Have the catalogue's records with a field otherwise, or without it."""

    def changed(one: Any) -> Any:
        if isinstance(one, list):
            return [changed(item) for item in one]
        if not isinstance(one, dict):
            return one
        same = {name: changed(item) for name, item in one.items() if name != field}
        return same | ({field: value} if field in one and value is not None else {})

    @contextmanager
    def broken(site: Site) -> Iterator[None]:
        with set_on(**{attribute: changed(getattr(site.stand_in, attribute))})(site):
            yield

    return broken


DATA = "/data/visitor/ma4242/id21/20240601/RAW_DATA"
VISIT = {
    "session_number": "1",
    "start_date": "2024-05-01T08:00:00Z",
    "end_date": "2024-05-03T08:00:00Z",
    "subject": "x",
}

ROWS = [
    # -- the file
    Row("a misspelt setting", "esrf", "configuration.Facility.nmae", "no such setting", "Did you mean Facility.name",
        'c.Facility.nmae = "x"'),
    Row("a mistake of Python", "esrf", "configuration.file", "SyntaxError", "Correct the Python", "c.Facility.name ="),
    Row("no such source", "esrf", "configuration.Facility.proposals", "no such source", "Known here",
        ('"icatplus"', '"icatpus"')),
    Row("an unknown field in a template", "esrf", "configuration.MountRules.data", "unknown field", "Known: .proposal.",
        ("{beamline|lower|nodash}", "{instrument}")),
    Row("a part of an id without its pattern", "psi", "configuration.MountRules.proposal_pattern", "two ids may share",
        "what ids look like", ('c.MountRules.proposal_pattern = "p[0-9]{5}"', "")),
    Row("a home for all", "esrf", "configuration.MountRules.home", "of their own", "Add .account.",
        ("/home/{account}", "/home/user")),
    Row("a told path without roots", "desy", "configuration.MountRules.data_roots", "may then be any",
        "Name the storage",
        ('c.MountRules.data_roots = ["/asap3"]', "")),
    Row("a source over an open line", "psi", "configuration.SciCatProposals.url", "not encrypted", "https://",
        'c.SciCatProposals.url = "http://scicat.psi.example/api/v3"'),
    Row("no issuers", "soleil", "configuration.LdapAccounts.issuers", "any issuer would be accepted",
        "your provider's issuer",
        "c.LdapAccounts.issuers = []"),
    Row("a secret others can read", "diamond", "configuration.IspybProposals.password_file", "read by others",
        "chmod 600",
        how=file("secrets/portal", mode=0o644)),
    Row("no secret", "diamond", "configuration.IspybProposals.password_file", "cannot be read", "owner",
        how=file("secrets/portal", gone=True)),
    Row("an empty catalogue", "soleil", "configuration.Facility.catalogue", "no application", "Name a folder",
        "c.Facility.catalogue = []"),
    # -- the portal
    Row("an open line to the portal", "esrf", "site.tls", "unencrypted", "TLS",
        'c.JupyterHub.public_url = ""\nc.JupyterHub.bind_url = "http://:8000"'),
    Row("an address without TLS", "esrf", "site.tls", "not https", "certificate",
        ("https://daas.esrf.example/", "http://daas.esrf.example/")),
    Row("a way past the web server", "esrf", "site.bind", "bypassing the web server", "127.0.0.1",
        ('"http://127.0.0.1:8000"', '"http://:8000"')),
    Row("nothing says the address", "esrf", "site.tls", "is not set", "public_url",
        ('c.JupyterHub.public_url = "https://daas.esrf.example/"', ""), verdict="warning"),
    Row("sessions under the portal's name", "esrf", "site.session_hosts", "share one", "subdomain_host",
        ('c.JupyterHub.subdomain_host = "https://daas.esrf.example"', ""), verdict="warning"),
    Row("cookies for other sites", "esrf", "site.cookies", "SameSite", "Remove",
        'c.JupyterHub.tornado_settings = {"cookie_options": {"SameSite": "None"}}'),
    Row("logins for a year", "esrf", "site.cookies", "365 days", "cookie_max_age_days = 14",
        "c.JupyterHub.cookie_max_age_days = 365", verdict="warning"),
    Row("a file others may write", "esrf", "site.file", "can change it", "chmod go-w", how=file("example", mode=0o777)),
    Row("a secret in an open file", "esrf", "site.file", "client_secret", "client_secret_file",
        'c.UmbrellaAuthenticator.client_secret_file = ""\nc.UmbrellaAuthenticator.client_secret = "not-a-secret"'),
    Row("a way back to another portal", "esrf", "site.callback", "is not below", "register",
        'c.UmbrellaAuthenticator.oauth_callback_url = "https://other.esrf.example/hub/oauth_callback"'),
    Row("a database others can read", "esrf", "site.secrets", "mode 644", "chmod 600",
        'c.JupyterHub.db_url = "sqlite:////data/visitor/ma4242/id21/20240501/RAW_DATA/scan_0001.h5"'),
    # -- login
    Row("a provider that does not run", "soleil", "login.discovery", "no connection .Connection refused",
        "openid-configuration",
        'c.UmbrellaAuthenticator.oidc_issuer = "http://127.0.0.1:9"'),
    Row("an issuer with a slash too many", "soleil", "login.discovery", "a different issuer", "exactly",
        ('oidc_issuer = ISSUER', 'oidc_issuer = ISSUER + "/"')),
    Row("a wrong client secret", "soleil", "login.client", "does not accept client_id", "Copy client_id",
        how=file("secrets/oidc", text="another")),
    Row("an unknown client", "soleil", "login.client", "client_id", "Copy client_id", ('"daas-hub"', '"daas-hab"')),
    Row("a callback that is not registered", "soleil", "login.callback", "instead of a redirect", "Register exactly https://new",
        ("https://daas.soleil.example/", "https://new.soleil.example/")),
    Row("a provider nobody's account is asked about", "soleil", "login.issuers", "none; ldap", "Add exactly \"http",
        "c.LdapAccounts.issuers = ['https://elsewhere.example']"),
    Row("a token that is not good", "soleil", "login.userinfo", "was refused", "fresh",
        login=(("access_token", "stale"),)),
    # -- accounts
    Row("a directory that does not run", "soleil", "accounts.ldap", "refused|cannot be asked", "that the service runs",
        how=stopped_directory),
    Row("another authority", "soleil", "accounts.ldap", "certificate", "ca_file",
        'c.LdapAccounts.ca_file = "/etc/ssl/certs/ca-certificates.crt"'),
    Row("a wrong bind", "soleil", "accounts.ldap", "invalidCredentials", "bind_dn",
        'c.LdapAccounts.bind_dn = "cn=reader,dc=facility,dc=org"\nc.LdapAccounts.password_file = @SECRET@'),
    Row("a base that is not there", "soleil", "accounts.ldap", "noSuchObject", "base",
        ('"ou=people,', '"ou=persons,')),
    Row("a filter that finds everybody", "soleil", "configuration.LdapAccounts.person_filter", "everybody would get",
        "accounts-from-ldap",
        'c.LdapAccounts.person_filter = "(objectClass=posixAccount)"'),
    Row("a claim the login does not have", "soleil", "accounts.ldap", "no usable claim 'mail'", "--claim",
        "c.LdapAccounts.person_filter = '(&(objectClass=posixAccount)(mail={claim.mail}))'"),
    Row("somebody without an account", "soleil", "accounts.ldap", "no account", "link",
        login=(("subject", "eve"), ("claims", {"preferred_username": "eve"}))),
    Row("an account that is a machine's", "soleil", "accounts.used", "uid 25001 is outside", "min_id",
        "c.Facility.min_id = 30000"),
    Row("groups that are not looked for", "psi", "proposals.scicat", "none", "member",
        ('c.LdapAccounts.group_base = "ou=groups,dc=facility,dc=org"', ""), verdict="warning"),
    Row("an unlinked Umbrella hash", "alba", "accounts.calipsoplus", "no account", "link",
        login=(("subject", "b0744680-0000-4b12-8627-95d23e5e4af9"),)),
    Row("no account of the proposal", "alba", "directories.20180001", "no account x20180001",
        "ProposalAccounts.template",
        ('"u{proposal}"', '"x{proposal}"')),
    # -- proposals
    Row("a catalogue that does not run", "psi", "proposals.scicat", "no connection", "that the service runs",
        'c.SciCatProposals.url = "http://127.0.0.1:9/api/v3"'),
    Row("a wrong password", "psi", "proposals.scicat", "credentials", "password_file", how=set_on(password="changed")),
    Row("a page instead of an interface", "psi", "proposals.scicat", "HTML", "API",
        how=answers(FAULTS["a page to sign in"][0])),
    Row("a page to sign in by a redirect", "psi", "proposals.scicat", "redirect", "sign-in page",
        how=answers(FAULTS["a redirect to sign in"][0])),
    Row("a slash less", "elettra", "proposals.calipsoplus", "redirect", "slash", ("/$USERNAME/", "/$USERNAME")),
    Row("a service that fails", "psi", "proposals.scicat", "status 500", "own log",
        how=answers(FAULTS["an error in JSON"][0])),
    Row("a service that hangs", "psi", "proposals.scicat", "no answer within", "timeout_s",
        "c.SciCatProposals.timeout_s = 0.5", how=answers(FAULTS["silence"][0])),
    Row("too much", "psi", "proposals.scicat", "more than", "max_bytes",
        "c.SciCatProposals.max_bytes = 200"),
    Row("half a document", "psi", "proposals.scicat", "other than JSON", "interface",
        how=answers(FAULTS["half a document"][0])),
    Row("an address that is not there", "psi", "proposals.scicat", "status 404", "Correct the url",
        how=answers(says('{"message": "Cannot GET"}', status=404))),
    Row("no portal credentials at the user office", "desy", "proposals.calipsoplus", "403", "user, password_file",
        how=set_on(password="changed")),
    Row("a login at ICAT+ without a token", "esrf", "proposals.icatplus", "access token", "--token-file",
        login=(("access_token", ""),)),
    Row("a plugin ICAT+ does not have", "esrf", "proposals.icatplus", "credentials", "plugin",
        how=set_on(plugin="oidc")),
    Row("a group the person is not in", "desy", "proposals.calipsoplus.contract", "20180001 .gid 26777", "group",
        how=experiments(gid="26777")),
    Row("dates the wrong way round", "desy", "proposals.calipsoplus.contract", "20180001 visit", "swapped",
        how=experiments(sessions=[VISIT | {"end_date": "2023-01-01T00:00:00Z",
            "data_set_path": "{'/asap3/petra3/gpfs/p11/2024/data/11001': {'bind': '', 'mode': 'ro'}}"}]),
        verdict="warning"),
    Row("a visit without a date", "diamond", "directories.mx12345", "has no date", "visit.start",
        'c.IspybProposals.fields = {"visit.start": "nowhere"}'),
    # -- each catalogue's own contract, line by line
    Row("a session that is not opened", "esrf", "proposals.icatplus.asked", "credentials.*a session .POST session",
        "plugin", how=set_on(plugin="oidc")),
    Row("a token that is not given", "psi", "proposals.scicat.asked", "credentials.*a token .POST auth/login",
        "password_file", how=set_on(password="changed")),
    Row("a list that is a page", "elettra", "proposals.calipsoplus.asked", "HTML.*page 1 of the experiments .GET",
        "API", how=answers(FAULTS["a page to sign in"][0])),
    Row("an account service that is a page", "alba", "accounts.calipsoplus.asked", "HTML.*an account .POST", "API",
        how=answers(FAULTS["a page to sign in"][0])),
    Row("a title that is nowhere", "psi", "proposals.scicat.fields", "in none of .*title is title",
        "path of title in SciCatProposals.fields", how=records("proposals", "title"), verdict="warning"),
    Row("a title in two languages", "diamond", "proposals.ispyb.fields", "an object instead of .*title is title",
        "IspybProposals.fields", how=records("proposals", "title", {"en": "Lysozyme"}), verdict="warning"),
    Row("an abstract that is a number", "desy", "proposals.calipsoplus.fields", "a number instead of .*is body",
        "CalipsoplusProposals.fields", how=experiments(body=1.5), verdict="warning"),
    Row("visits without numbers", "esrf", "proposals.icatplus.fields", "has no number from 0.*visit.number is id",
        "IcatPlusProposals.fields", how=records("investigations", "id", "abc")),
    Row("ids of another form", "elettra", "proposals.calipsoplus.fields", "not a valid proposal id",
        "CalipsoplusProposals.fields", how=experiments(proposal_id="2018 0001", serial_number="2018 0001")),
    Row("a pattern no group fits", "soleil", "proposals.groups.names", "no match among .*99240224", "pattern",
        'c.GroupProposals.pattern = "(?P<proposal>x[0-9]{8})"', verdict="warning"),
    # -- directories
    Row("data elsewhere", "desy", "directories.20180001", "outside the directories", "data_roots",
        ('["/asap3"]', '["/asap2"]')),
    Row("no data there", "esrf", "directories.MA-4242", "does not exist", "template",
        how=without("/data/visitor/ma4242")),
    Row("a link instead of a directory", "esrf", "directories.MA-4242", "symbolic link", "real directory",
        how=linked(DATA)),
    Row("two that match", "soleil", "directories.99240224", "matches several", "exact",
        how=beside("/nfs/ruche/cristal-soleil/com-cristal/2025/Run1/copy_99240224")),
    Row("data the account may not read", "esrf", "directories.MA-4242.~/data", "permission", "enter its parents",
        how=mode(DATA, 0o700)),
    Row("results the account may not write", "desy", "directories.20180001.~/processed", "permission", "2770",
        how=mode("/asap3/petra3/gpfs/p11/2024/data/11001/processed", 0o2750)),
    Row("nothing in it", "psi", "directories.p12345.~/data", "empty", "right directory",
        how=emptied("/sls/x06da/e12345"), verdict="warning"),
    Row("a visit two proposals might have", "diamond", "directories.mx12345", "distinguished", "Add .proposal.",
        "c.IspybProposals.fields = {'visit.name': 'visit_number'}"),
    # -- sessions
    Row("no bubblewrap", "soleil", "configuration.SandboxSpawner.bwrap", "not installed", "apt-get install bubblewrap",
        'c.SandboxSpawner.bwrap = "bwrop"'),
    Row("an environment without the program", "soleil", "sessions.tried", "No such file",
        "is of this version|must be of this version",
        'c.SandboxSpawner.prefix = "/usr"'),
]  # fmt: skip


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.example}: {row.name}") for row in ROWS])
def test_it_is_found_with_its_remedy(sites: Callable[[str], Site], row: Row) -> None:
    site = sites(row.example)
    text = site.text
    if isinstance(row.change, tuple):
        assert row.change[0] in text
        text = text.replace(*row.change)
    elif row.change:
        text += "\n" + row.change.replace("@SECRET@", repr(str(site.folder / "secrets" / "portal"))) + "\n"
    with row.how(site):
        findings = site.examine(text, **dict(row.login))
    there = [one for one in findings if one["key"] == row.key and one["verdict"] == row.verdict]
    wrong = "\n".join(str(one) for one in findings if one["verdict"] in ("problem", "warning"))
    assert there, f"nothing told at {row.key}; told was:\n{wrong}"
    assert any(
        re.search(row.got, one["result"] + one["check"]) and re.search(row.remedy, one["fix"]) for one in there
    ), wrong
    secret = (site.folder / "secrets" / "portal").read_text()
    assert secret not in str(findings)


def test_there_are_enough() -> None:
    """The issue asks for forty; and each facility has some."""
    assert len({row.name for row in ROWS}) >= 40
    assert {row.example for row in ROWS} == {"alba", "elettra", "esrf", "soleil", "psi", "diamond", "desy"}
