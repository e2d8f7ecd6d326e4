"""What the doctor says, and how: words for every kind of trouble, the report on paper, the exit codes (PS08, PS09).

Whole sites, and sites with one thing broken, are examined in tests/examples and tests/docker.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daas_hub.cli import main
from daas_hub.doctor.remedies import remedy_for
from daas_hub.doctor.report import as_json, as_text
from daas_hub.doctor.site import _own_certificate
from daas_hub.facility import Facility
from daas_hub.findings import Finding, exit_code, not_checked, ok, problem, warning
from tests.identity.directory import make_certificates
from tests.stand_ins.faults import FAULTS


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_a_remedy_of_its_own_kind(fault: str) -> None:
    words = FAULTS[fault][1].replace("where", "a value where a list was expected")
    assert remedy_for(words) != remedy_for("something nobody ever said")


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("icat at https://x: asked for a session, got status 403", "password_file"),
        ("got a redirect (301) to another path", "slash"),
        ("got a redirect (302) to https://login.example.org", "page to sign in"),
        ("directory ldaps://x: SSLCertVerificationError: certificate verify failed", "ca_file"),
        ("directory ldaps://x: _Failed: it does not accept the bind: invalidCredentials", "bind_dn"),
        ("accounts.yaml, line 7: unknown key", "at that line"),
        ("more than 5000 records (see IcatProposals.most_records)", "most_records"),
        ("scicat: got status 404 with JSON", "Correct the url"),
        ("got no answer within 10 s", "timeout_s"),
        ("directory ldap://x: _Failed: it does not offer StartTLS", "ldaps://"),
        ("/x/links.sqlite: others can read or change it: chmod 600 /x/links.sqlite", "chmod 600"),
        ("/x/links.sqlite: file is not a database", "put a backup in its place"),
        ("/x/links.sqlite: it has form 7, and this release knows form 1", "that release"),
    ],
)
def test_words_and_what_to_do(words: str, remedy: str) -> None:
    assert remedy in remedy_for(words)


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
    assert text.index("The file") < text.index("The portal") < text.index("Login") < text.index("Directories")
    assert "PROBLEM asked for tokens\n          got: another secret\n          remedy: Copy it." in text
    assert text.endswith("jupyterhub_config.py: 1 problem, 1 warning (1 checks held, 1 not checked)")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nowhere.py"], "no such file"),
        (["setup.cfg", "--claim", "name"], "NAME=VALUE"),
        (["setup.cfg", "--token-file", "/nowhere/token"], "cannot be read"),
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
    assert (found.verdict, found.remedy) == (verdict, "Renew the certificate.")
    (tmp_path / "none.pem").write_text("no certificate")
    assert "PEM" in _own_certificate(str(tmp_path / "none.pem"), "looked").remedy
