"""A facility for its example: its directory tree at the true paths, its directory, its catalogue, its login provider.

Nothing of the example is changed but addresses and the places of secrets (see `placed`). The tree stands at its true
paths in a mount namespace of its own: /data/visitor, /asap3, /dls, ... are there for the doctor and for nobody else.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from aiohttp import web

from tests.stand_ins.calipsoplus import HASHES, UserOffice, experiment
from tests.stand_ins.directory import Directory
from tests.stand_ins.faults import Fault
from tests.stand_ins.icatplus import IcatPlus
from tests.stand_ins.ispyb import Ispyb
from tests.stand_ins.openid import CertifiedProvider
from tests.stand_ins.running import running_beside
from tests.stand_ins.scicat import SciCat
from tests.stand_ins.squashing import squashing

EXAMPLES = Path(__file__).parents[2] / "examples"
UID, GID = 25001, 25001
HASH = next(iter(HASHES))


@dataclass
class Facility:
    """One example and what it needs to be tried.

    Attributes:
        profile: of the login provider.
        catalogue: makes the service of proposals; None where there is none.
        service: what stands in the configuration for the service's address.
        directories: what stands on the storage, with uid, gid and mode; a file is put into each.
        claims: of the login.
    """

    name: str
    profile: str
    directories: dict[str, tuple[int, int, int]]
    catalogue: Callable[[], Any] | None = None
    service: str = ""
    subject: str = "anna"
    claims: dict[str, str] = field(default_factory=lambda: {"preferred_username": "anna"})
    with_token: bool = False

    @property
    def text(self) -> str:
        """The example as it is shipped."""
        return (EXAMPLES / self.name / "jupyterhub_config.py").read_text()


def _office(*experiments: dict[str, Any], person: str = "anna") -> Callable[[], UserOffice]:
    return lambda: UserOffice(experiments={person: list(experiments)})


def _visit(path: str) -> list[dict[str, Any]]:
    return [{"session_number": "1", "start_date": "2024-05-01T08:00:00Z", "end_date": "2024-05-03T08:00:00Z",
             "subject": "First", "body": None, "data_set_path": path}]  # fmt: skip


def _catalogue() -> IcatPlus:
    """Return ICAT+ whose second visit was moved, with both its dates."""
    told = IcatPlus()
    moved = told.investigations["participant"]["anna"][1]["parameters"]
    moved["__actualEndDate"] = "2024-06-03T06:00:00.000Z"
    return told


RAW, SHARED, OWN = (0, 26001, 0o2750), (0, 26001, 0o2770), (UID, GID, 0o700)

FACILITIES = {
    one.name: one
    for one in (
        Facility(
            "alba",
            "umbrella",
            {
                "/beamlines/bl11/projects/cycle2018-I/20180001-acamara": (28001, 26001, 0o750),
                "/beamlines/bl11/projects/cycle2018-I/20180001-acamara/PROCESSED_DATA": (28001, 26001, 0o770),
                "/beamlines/bl11/projects/cycle2018-I/20180002-jdoe": (28002, 26002, 0o750),
                "/home/u20180001": (28001, 26001, 0o700),
            },
            _office(experiment(1, gid="26001"), person="calipso1"),
            "https://useroffice.alba.example",
            subject=HASH,
            claims={"EAAHash": HASH},
        ),
        Facility(
            "elettra",
            "keycloak",
            {"/store/automount/xafs/20180001": RAW, "/store/results/20180001": SHARED, "/home/anna": OWN},
            _office(experiment(1, sessions=_visit("{'/store/automount/xafs/20180001': {'bind': '', 'mode': 'ro'}}"))),
            "https://vuo.elettra.example",
        ),
        Facility(
            "esrf",
            "keycloak",
            {
                "/data/visitor/ma4242/id21/20240501/RAW_DATA": RAW,
                "/data/visitor/ma4242/id21/20240601/RAW_DATA": RAW,
                "/data/visitor/ls1007/bm23": RAW,
                "/data/visitor/ma4242/processed": SHARED,
                "/data/visitor/ls1007/processed": SHARED,
                "/tmp_14_days/anna": OWN,
                "/home/anna": OWN,
            },
            _catalogue,
            "https://icatplus.esrf.example",
            with_token=True,
        ),
        Facility(
            "soleil",
            "keycloak",
            {
                "/nfs/ruche/sixs-soleil/com-sixs/2025/Run1/Rigaku_99240224": (0, 26003, 0o2750),
                "/nfs/ruche/sixs-soleil/com-sixs/2025/Run2/Rigaku_99240225": (0, 26004, 0o2750),
                "/nfs/share/processed/99240224": (0, 26003, 0o2770),
                "/home/anna": OWN,
            },
        ),
        Facility(
            "psi",
            "keycloak",
            {
                "/sls/x12sa/e12345": (0, 26005, 0o2750),
                "/sls/x06da/e12345": (0, 26005, 0o2750),
                "/das/work/p12/p12345": (0, 26005, 0o2770),
                "/das/home/anna": OWN,
            },
            SciCat,
            "https://scicat.psi.example",
        ),
        Facility(
            "diamond",
            "keycloak",
            {
                "/dls/i03/data/2024/mx12345-7": (0, 26006, 0o2750),
                "/dls/i03/data/2024/mx12345-7/processed": (0, 26006, 0o2770),
                "/home/anna": OWN,
            },
            Ispyb,
            "https://ispyb.diamond.example",
        ),
        Facility(
            "desy",
            "egi",
            {
                "/asap3/petra3/gpfs/p11/2024/data/11001/raw": RAW,
                "/asap3/petra3/gpfs/p11/2024/data/11001/processed": SHARED,
                "/asap3/petra3/gpfs/p11/2024/data/11001/scratch_cc": SHARED,
                "/home/anna": OWN,
            },
            _office(
                experiment(1, sessions=_visit("{'/asap3/petra3/gpfs/p11/2024/data/11001': {'bind': '', 'mode': 'ro'}}"))
            ),
            "https://door.desy.example",
            subject="anna0123456789abcdef@egi.eu",
            claims={},
        ),
    )
}


@dataclass
class Site:
    """A facility that runs."""

    facility: Facility
    folder: Path
    stand_in: Any
    directory: Directory
    provider: CertifiedProvider
    text: str
    tree: Path
    driver: subprocess.Popen[str]
    #: what the catalogue does instead of answering, when it is set
    fault: list[Fault] = field(default_factory=list)
    token: str = ""

    def examine(self, text: str = "", *, nobody: bool = False, **login: Any) -> list[dict[str, Any]]:
        """Examine this site, or one with another configuration; give the findings as JSON has them."""
        (self.folder / "example" / "jupyterhub_config.py").write_text(text or self.text)
        person = {"subject": self.facility.subject, "claims": self.facility.claims, "access_token": self.token} | login
        told = {"file": str(self.folder / "example" / "jupyterhub_config.py"), "login": {} if nobody else person}
        assert self.driver.stdin is not None
        assert self.driver.stdout is not None
        self.driver.stdin.write(json.dumps(told) + "\n")
        self.driver.stdin.flush()
        line = self.driver.stdout.readline()
        assert line, "the doctor itself fell: " + (self.folder / "driver.log").read_text()[-3000:]
        findings: list[dict[str, Any]] = json.loads(line)
        return findings

    def path(self, path: str) -> Path:
        """Return where a directory of the site's tree stands outside of it."""
        return self.tree / path.lstrip("/")


#: Directories above those of the examples that only the proposal's group may enter, as the facilities have them.
GROUPS_ONLY = {
    "/data/visitor/ma4242": 26001,
    "/data/visitor/ls1007": 26001,
    "/asap3/petra3/gpfs/p11/2024/data/11001": 26001,
}


def make_tree(facility: Facility, tree: Path) -> None:
    """Make a facility's directories, each with a file."""
    for path, (uid, gid, mode) in facility.directories.items():
        place = tree / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "scan_0001.h5").write_text("counts")
        os.chown(place / "scan_0001.h5", uid, gid)
        os.chown(place, uid, gid)
        place.chmod(mode)


@contextmanager
def squashed_tree(facility: Facility, folder: Path) -> Iterator[Path]:
    """Serve a facility's directories from storage that squashes root; yield where."""
    real, served = folder / "real", folder / "served"
    served.mkdir()
    make_tree(facility, real)
    for path, gid in GROUPS_ONLY.items():
        place = real / path.lstrip("/")
        if place.is_dir():
            os.chown(place, 0, gid)
            place.chmod(0o750)
    with squashing(real, served):
        yield served


@contextmanager
def running_site(
    facility: Facility, folder: Path, directory: Directory, provider: CertifiedProvider, tree: Path | None = None
) -> Iterator[Site]:
    """Run it.

    Args:
        tree: where its directories are already; None makes them.
    """
    if tree is None:
        tree = folder / "tree"
        make_tree(facility, tree)
    folder.chmod(0o755)
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    for name, text in {"oidc": "not-a-secret", "portal": "portal-password"}.items():
        (secrets / name).write_text(text)
        (secrets / name).chmod(0o600)
    fault: list[Fault] = []
    stand_in = facility.catalogue() if facility.catalogue else None
    token = ""
    if facility.with_token:
        token = access_token(provider, facility)
        stand_in.people_by_token[token] = "anna"
    app = stand_in.app() if stand_in else web.Application()

    @web.middleware
    async def faults(request: web.Request, handler: Any) -> Any:
        return await (fault[0](request) if fault else handler(request))

    app.middlewares.append(faults)
    (folder / "example").mkdir()
    os.symlink(EXAMPLES / "applications", folder / "applications")
    with running_beside(app) as address:
        text = placed(facility, directory, provider, address, secrets)
        driver = start_driver(folder, tree)
        try:
            yield Site(facility, folder, stand_in, directory, provider, text, tree, driver, fault, token)
        finally:
            assert driver.stdin is not None
            assert driver.stdout is not None
            driver.stdin.close()
            driver.wait(30)
            driver.stdout.close()


def placed(facility: Facility, directory: Directory, provider: CertifiedProvider, service: str, secrets: Path) -> str:
    """Return the example with the stand-ins' addresses, and the places of secrets and files; nothing else changes."""
    text = facility.text
    (issuer,) = re.findall(r'^ISSUER = "(.+)"$', text, re.MULTILINE)
    (server,) = re.findall(r"ldaps://[a-z.]+", text)
    replaced = {issuer: provider.issuer, server: directory.tls, "/etc/daas-hub/ldap-ca.pem": directory.ca}
    for name in re.findall(r"/etc/daas-hub/secrets/[a-z]+", text):
        replaced[name] = str(secrets / ("oidc" if name.endswith("/oidc") else "portal"))
    if facility.service:
        replaced[f"{facility.service}/"] = f"{service}/"
        replaced[f'{facility.service}"'] = f'{service}"'
        assert facility.service in text
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text.replace("Path(__file__).parent.parent", f"Path({str(EXAMPLES)!r})")


def start_driver(folder: Path, tree: Path) -> subprocess.Popen[str]:
    """Start the doctor where the tree stands at its true paths: everything of this machine beside it."""
    argv = ["bwrap", "--cap-add", "ALL", "--tmpfs", "/"]
    ours = {one.name for one in tree.iterdir()}
    for entry in sorted(Path("/").iterdir()):
        if entry.name in ours:
            continue
        if entry.is_symlink():
            argv += ["--symlink", os.readlink(entry), str(entry)]
        else:
            argv += ["--dev-bind", str(entry), str(entry)]
    for name in sorted(ours):
        argv += ["--bind", str(tree / name), f"/{name}"]
    argv += ["--chdir", "/", "--", sys.executable, "-m", "tests.examples.driver"]
    environment = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "PYTHONPATH")
    } | {"JUPYTERHUB_CRYPT_KEY": "0123456789abcdef" * 4, "PYTHONPATH": str(EXAMPLES.parent)}
    with (folder / "driver.log").open("w") as log:
        return subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )


def access_token(provider: CertifiedProvider, facility: Facility) -> str:
    """Sign in as a browser does, and give the access token."""
    (portal,) = re.findall(r'public_url = "(.+)/"', facility.text)
    callback, verifier = f"{portal}/hub/oauth_callback", "v" * 50
    query = {
        "response_type": "code", "client_id": "daas-hub", "redirect_uri": callback, "scope": "openid profile",
        "state": "s", "nonce": "n", "code_challenge": _s256(verifier), "code_challenge_method": "S256",
    }  # fmt: skip
    endpoints = requests.get(f"{provider.issuer}/.well-known/openid-configuration", timeout=30).json()
    address = requests.Request("GET", endpoints["authorization_endpoint"], params=query).prepare().url
    said = provider.walk(str(address), "anna")
    form = {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": callback,
            "code_verifier": verifier,
            "client_id": "daas-hub", "client_secret": "not-a-secret"}  # fmt: skip
    answer = requests.post(endpoints["token_endpoint"], data=form, timeout=30)
    return str(answer.json()["access_token"])


def _s256(verifier: str) -> str:
    import base64
    import hashlib

    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
