"""What the doctor says, and how: the report on paper, the exit codes (PS08, PS09). Remedies: `test_remedies.py`.

Whole sites, and sites with one thing broken, are examined in tests/examples and tests/docker.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.commands.doctor.report import as_json, as_text
from daas_hub.commands.doctor.site import _own_certificate
from daas_hub.commands.main import main
from daas_hub.facility import Facility
from daas_hub.findings import Finding, exit_code, not_checked, ok, problem, warning
from tests.commands.configured_spawner import AUTHORISING_SPAWNER
from tests.stand_ins.directory import make_certificates
from tests.stand_ins.icat import Icat
from tests.stand_ins.openid import CertifiedProvider, start_provider
from tests.stand_ins.running import running_beside

FINDINGS = [
    ok("configuration.file", "read it"),
    not_checked("directories.asked", "opened directories", "--as"),
    warning("site.tls", "looked at the certificate", "5 days", "Renew it."),
    problem("login.client", "asked for tokens", "another secret", "Copy it."),
]


@pytest.mark.parametrize(
    ("findings", "code"), [(FINDINGS[:2], 0), (FINDINGS[:3], 1), (FINDINGS, 2), ([], 0), (FINDINGS[3:], 2)]
)
def test_exit_codes(findings: list[Finding], code: int) -> None:
    """PS09: what Nagios and Icinga read."""
    assert exit_code(findings) == code
    assert json.loads(as_json("x", findings))["exit_code"] == code


def test_the_report_reads_from_the_file_to_the_session() -> None:
    text = as_text("jupyterhub_config.py", FINDINGS)
    assert text.index("Configuration") < text.index("Portal") < text.index("Login") < text.index("Directories")
    assert "PROBLEM asked for tokens\n          result: another secret\n          fix: Copy it." in text
    assert text.endswith("jupyterhub_config.py: 1 problem, 1 warning (1 checks passed, 1 not checked)")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nowhere.py"], "no such file"),
        (["setup.cfg", "--claim", "name"], "NAME=VALUE"),
        (["setup.cfg", "--token-file", "/nowhere/token"], "cannot be read"),
        (["setup.cfg", "--login", "--as", "anna"], "cannot be combined"),
        (["setup.cfg", "--login", "one", "--claim", "a=b"], "Leave out --as"),
    ],
)
def test_an_examination_that_cannot_be_made(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown, in a monitor's words: 3, and nothing on the output a machine reads."""
    assert main(["doctor", *options, "--json"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err


def test_a_file_that_is_not_in_order_is_not_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "jupyterhub_config.py"
    file.write_text("c.Facility.nmae = 1\n")
    try:
        assert main(["doctor", str(file), "--json"]) == 2
    finally:
        Facility.clear_instance()
    report = json.loads(capsys.readouterr().out)
    assert {one["key"] for one in report["findings"]} >= {"configuration.Facility.nmae", "site.asked"}


@pytest.mark.parametrize(("expired", "verdict"), [(False, "warning"), (True, "problem")])
def test_the_portals_own_certificate(tmp_path: Path, expired: bool, verdict: str) -> None:
    """It ends tomorrow, or ended an hour ago; a file that is none is told, too."""
    make_certificates(tmp_path, "daas.facility.org", expired=expired)
    found = _own_certificate(str(tmp_path / "server.pem"), "looked")
    assert (found.verdict, found.fix) == (verdict, "Renew the certificate.")
    (tmp_path / "none.pem").write_text("no certificate")
    assert "PEM" in _own_certificate(str(tmp_path / "none.pem"), "looked").fix


# -- a login that is made for the examination (--login) ---------------------------------------------------------------

SITE = """
from daas_hub import configure
configure(c)
@SPAWNER@
c.Facility.accounts_file = "@FOLDER@/accounts.yaml"
c.Facility.proposals_file = "@FOLDER@/proposals.yaml"
c.Facility.catalogue = ["@FOLDER@/applications"]
c.MountRules.data = ["@FOLDER@/data/{proposal}"]
c.UmbrellaAuthenticator.providers = {
    "one": {"issuer": "@ISSUER@", "client_id": "daas-hub", "client_secret": "not-a-secret"}
}
""".replace("@SPAWNER@", AUTHORISING_SPAWNER)
ACCOUNTS = """
accounts:
  - {name: anna, uid: 25001, gid: 25001, groups: {ma-4242: 26001}, logins: [{issuer: "@ISSUER@", subject: anna}]}
"""
PROPOSALS = "proposals: [{id: MA-4242, title: Roman glass, members: [anna], gid: 26001, visits: [{number: 1}]}]"


@pytest.fixture
def provider() -> Iterator[CertifiedProvider]:
    running = start_provider("generic", portal="http://127.0.0.1:8000", name="one")
    yield running
    running.stop()


def site(folder: Path, issuer: str, more: str = "") -> Path:
    """Write a site whose sources are files; give its configuration."""
    (folder / "applications").mkdir()
    (folder / "applications" / "lab.yaml").write_text("name: lab\ntitle: JupyterLab\nkind: notebook\n")
    for name, text in {"accounts.yaml": ACCOUNTS, "proposals.yaml": PROPOSALS, "config.py": SITE + more}.items():
        (folder / name).write_text(text.replace("@FOLDER@", str(folder)).replace("@ISSUER@", issuer))
    return folder / "config.py"


def begin(folder: Path, provider: CertifiedProvider, *options: str) -> tuple[subprocess.Popen[str], str]:
    """Run the command as an administrator does; give it as it waits for a person, and what it told until then."""
    file = site(folder, provider.issuer)
    # as in tests/examples/driver.py: a bare checkout finds its top-level rooms
    program = "import conftest, sys; from daas_hub.commands.main import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "doctor", str(file), "--login", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JUPYTERHUB_CRYPT_KEY": "0123456789abcdef" * 4},
        cwd=Path(__file__).parents[3],
    )
    assert process.stderr is not None
    told = ""
    while "Waiting up to" not in told:
        line = process.stderr.readline()
        assert line, told
        told += line
    return process, told


def doctor(folder: Path, provider: CertifiedProvider, sub: str, *options: str) -> tuple[str, str]:
    """Run the command, and sign in as `sub` where it says; give its output and its errors."""
    process, told = begin(folder, provider, *options)
    with process:
        provider.enter_code(re.findall(r"or open +(\S+)", told)[0], sub)
        said, more = process.communicate(timeout=120)
    return said, told + more


def test_whoever_signs_in_is_examined(tmp_path: Path, provider: CertifiedProvider) -> None:
    """EL24: what a person would get, by the login of that person; a machine that reads the report sees nothing else."""
    said, told = doctor(tmp_path, provider, "anna", "one", "--json")
    findings = {one["key"]: one for one in json.loads(said)["findings"]}
    assert findings["login.test"]["verdict"] == "ok"
    assert "subject anna" in findings["login.test"]["result"]
    assert "account anna, uid 25001" in findings["accounts.used"]["result"]
    assert "MA-4242" in findings["sees.proposal"]["check"]
    assert "directories.asked" not in findings
    assert f"open       {provider.issuer}/device" in told


def test_somebody_without_an_account_signs_in(tmp_path: Path, provider: CertifiedProvider) -> None:
    said, told = doctor(tmp_path, provider, "ben")
    assert "subject ben ('Ben Okafor')" in " ".join(said.split())
    assert "fix: Check the subject" in said
    assert "and enter" in told
    assert "and enter" not in said


def test_nobody_wants_to_sign_in_any_more(tmp_path: Path, provider: CertifiedProvider) -> None:
    """Ctrl-C: unknown, in a monitor's words, and no traceback."""
    process, _ = begin(tmp_path, provider, "--json")
    with process:
        process.send_signal(signal.SIGINT)
        said, more = process.communicate(timeout=30)
    assert (process.returncode, said) == (3, "")
    assert "Traceback" not in more


def test_an_authenticator_without_such_a_login(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    file = site(tmp_path, "http://127.0.0.1:9", 'c.JupyterHub.authenticator_class = "dummy"\n')
    try:
        main(["doctor", str(file), "--json", "--login"])
    finally:
        Facility.clear_instance()
    findings = {one["key"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["login.test"]["verdict"] == "not checked"
    assert "sign in once in a browser" in findings["login.test"]["result"]


# -- a catalogue's own contract, in a whole examination ----------------------------------------------------------------

ICAT = """
c.Facility.proposals = "icat"
c.Facility.proposals_file = ""
c.IcatProposals.url = "@URL@/icat"
c.IcatProposals.user = "daas"
c.IcatProposals.password_file = "@FOLDER@/secret"
"""


@pytest.mark.parametrize("person", [[], ["--as", "anna"]])
def test_icats_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, person: list[str]
) -> None:
    """Also for a monitor, without a person: session, question, version; and no session stays open."""
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("portal-password")
    icat = Icat()
    with running_beside(icat.app()) as url:
        file = site(tmp_path, "http://127.0.0.1:9", ICAT.replace("@URL@", url))
        try:
            main(["doctor", str(file), "--json", *person])
        finally:
            Facility.clear_instance()
    findings = [
        one for one in json.loads(capsys.readouterr().out)["findings"] if one["key"].startswith("proposals.icat")
    ]
    assert [one for one in findings if one["verdict"] in ("problem", "warning")] == []
    asked = [one["check"].partition("(")[2] for one in findings if one["key"] == "proposals.icat.asked"]
    assert asked == ["POST session)", "GET entityManager)", "GET version)", "DELETE session/*)"]
    fields = {one["check"]: one["result"] for one in findings if one["key"] == "proposals.icat.fields"}
    assert fields.get("icat: title is title") == ("in 3 of 3 records" if person else None)
    assert [one["result"] for one in findings if one["key"] == "proposals.icat.version"] == [
        "6.2 (4.7 or newer is needed)"
    ]
    assert icat.logins >= 1
    assert icat.sessions == {}
