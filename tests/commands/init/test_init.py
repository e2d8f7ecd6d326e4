"""`daas-hub init`: what it writes passes `check-config`, for each example and each kind of answer; nothing is lost."""

from __future__ import annotations

import os
import pty
import select
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from daas_hub.commands.check_config import check_config
from daas_hub.commands.init import collect, questions_of
from daas_hub.commands.init.questions import QUESTIONS, WrongAnswer
from daas_hub.commands.init.write import example_names, secrets_of_example
from daas_hub.commands.main import main
from daas_hub.errors import DaasError

BASE = {
    "facility": "My Light Source",
    "public_url": "https://daas.facility.org/",
    "issuer": "https://keycloak.facility.org/realms/users",
    "data": "/data/visitor/{proposal}/{beamline}/{visit}",
}
LDAP = {"accounts": "ldap", "ldap_server": "ldaps://ldap.facility.org", "ldap_people": "ou=people,dc=facility,dc=org"}
OFFICE = "https://useroffice.facility.org"

#: Answers in addition to BASE. A name that ends with _file stands for a secret, whose file the test makes.
ANSWERS: dict[str, dict[str, str]] = {
    "as little as possible": {},
    "everything": LDAP | {
        "help": "Call 1234.", "client_id": "portal", "ldap_groups": "ou=groups,dc=facility,dc=org", "ldap_ca": "CA",
        "proposals": "icat", "proposals_url": f"{OFFICE}/icat", "proposals_user": "daas", "proposals_secret_file": "",
        "processed": "/data/processed/{proposal}", "home": "/home/{account}", "state": "/srv/portal", "port": "9100",
    },
    "below a path": {"public_url": "https://www.facility.org/daas"},
    "texts with quotes": {"facility": 'The "Light" of \\ Source {{ 7 }} {% x %}', "help": "Don't \"panic\" \\n"},
    "a directory with StartTLS": LDAP | {"ldap_server": "ldap://ldap.facility.org:389"},
    "accounts of the machine": {"accounts": "nss"},
    "accounts from claims": {"accounts": "claims"},
    "proposals from groups": {"proposals": "groups", "group_pattern": "(?P<proposal>p[0-9]{5})"},
    "a user office": {
        "proposals": "calipsoplus", "proposals_url": f"{OFFICE}/experiments/$USERNAME/", "proposals_user": "daas",
        "proposals_secret_file": "",
    },
    "ICAT+": {"proposals": "icatplus", "proposals_url": f"{OFFICE}/icatplus"},
    "SciCat": {
        "proposals": "scicat", "proposals_url": f"{OFFICE}/api/v3", "proposals_user": "daas",
        "proposals_secret_file": "",
    },
    "ISPyB": {"proposals": "ispyb", "proposals_url": f"{OFFICE}/ispyb/api/v1"},
    "a User Office": {"proposals": "useroffice", "proposals_url": f"{OFFICE}/graphql", "proposals_secret_file": ""},
    "containers": {"sessions": "docker"},
    "containers of a registry": {"sessions": "docker", "registry": "registry.facility.org:5000/daas"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each configuration read its own environment file."""
    for name in ("JUPYTERHUB_CRYPT_KEY", "CONFIGPROXY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A private file with a secret."""
    file = tmp_path / "a-secret"
    file.write_text("not-a-secret\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate of an authority."""
    import ssl

    file = tmp_path / "authority.pem"
    (first, *_) = ssl.create_default_context().get_ca_certs(binary_form=True)
    file.write_text(ssl.DER_cert_to_PEM_cert(first))
    return file


def initialise(folder: Path, answers: dict[str, str], *options: str) -> int:
    """Run `daas-hub init` with a file of answers."""
    file = folder / "answers.yaml"
    file.write_text(yaml.safe_dump(answers))
    return main(["init", str(folder / "etc"), "--answers", str(file), *options])


def given(answers: dict[str, str], secret: Path, authority: Path) -> dict[str, str]:
    """Return a set of answers with the paths of this test."""
    whole = BASE | {"client_secret_file": ""} | answers
    values = {name: str(secret) if name.endswith("_file") else value for name, value in whole.items()}
    return values | ({"ldap_ca": str(authority)} if values.get("accounts") == "ldap" else {})


def without_a_machine(problems: list[DaasError]) -> list[str]:
    """Return the problems of a configuration, but for what this machine cannot do."""
    machine = ("SandboxSpawner.bwrap", "ProposalDockerSpawner.engine")
    return [str(problem) for problem in problems if not str(problem).startswith(machine)]


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_written_passes_check_config(name: str, tmp_path: Path, secret: Path, authority: Path) -> None:
    initialise(tmp_path, given(ANSWERS[name], secret, authority))
    assert without_a_machine(check_config(tmp_path / "etc" / "jupyterhub_config.py")) == []


@pytest.mark.parametrize("name", example_names())
def test_an_example_passes_check_config(name: str, tmp_path: Path, secret: Path, authority: Path) -> None:
    """With this installation's own addresses, secrets and certificate, and nothing of /etc."""
    answers = {"facility": "Ours", "public_url": "https://daas.ours.org/", "issuer": "https://sso.ours.org/realms/x"}
    answers |= {f"secret_{one}_file": str(secret) for one in secrets_of_example(name)} | {"ldap_ca": str(authority)}
    initialise(tmp_path, answers, "--example", name)
    config = tmp_path / "etc" / "jupyterhub_config.py"
    assert without_a_machine(check_config(config)) == []
    text = config.read_text()
    assert "/etc/daas" not in text
    assert 'ISSUER = "https://sso.ours.org/realms/x"' in text
    assert text.count("public_url = ") == 1
    assert 'public_url = "https://daas.ours.org/"' in text
    assert 'Facility.name = "Ours"' in text


def test_there_is_an_example_of_each_facility() -> None:
    assert example_names() == ["alba", "desy", "diamond", "elettra", "esrf", "psi", "soleil"]


def test_each_choice_is_among_the_answers() -> None:
    """A source that init offers is one of those tried above."""
    from daas_hub.commands.init.questions import ACCOUNTS, PROPOSALS

    tried = [BASE | answers for answers in ANSWERS.values()]
    assert {answers.get("accounts", "table") for answers in tried} == set(ACCOUNTS)
    assert {answers.get("proposals", "static") for answers in tried} == set(PROPOSALS)
    assert {answers.get("sessions", "sandbox") for answers in tried} == {"sandbox", "docker"}


def test_secrets_are_private_and_new(tmp_path: Path, secret: Path) -> None:
    """The keys differ from one installation to the next, and nobody else can read what is secret."""
    keys = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        initialise(folder, BASE | {"client_secret_file": str(secret)})
        etc = folder / "etc"
        lines = (etc / "environment").read_text().splitlines()
        values = dict(line.split("=") for line in lines if not line.startswith("#"))
        assert set(values) == {"JUPYTERHUB_CRYPT_KEY", "CONFIGPROXY_AUTH_TOKEN"}
        assert all(len(bytes.fromhex(value)) == 32 for value in values.values())
        keys += values.values()
        private = ["environment", "secrets", "secrets/oidc", "accounts.yaml", "proposals.yaml"]
        assert [one for one in private if stat.S_IMODE((etc / one).stat().st_mode) & 0o077] == []
        assert (etc / "secrets" / "oidc").read_text() == "not-a-secret\n"
        assert "not-a-secret" not in (etc / "jupyterhub_config.py").read_text()
    assert len(set(keys)) == 4


def test_a_missing_secret_is_left_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything is written, and the end says where the secret goes."""
    assert initialise(tmp_path, BASE) == 1
    said = capsys.readouterr().out
    assert f"left to do: UmbrellaAuthenticator.client_secret_file = '{tmp_path}/etc/secrets/oidc'" in said
    assert (tmp_path / "etc" / "jupyterhub_config.py").exists()


@pytest.mark.parametrize("name", ["jupyterhub_config.py", "environment", "applications/desktop.yaml"])
def test_nothing_is_overwritten(name: str, tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file of the administrator's, and nothing at all is written."""
    theirs = tmp_path / "etc" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    assert initialise(tmp_path, BASE | {"client_secret_file": str(secret)}) == 2
    assert f"has {name} already" in capsys.readouterr().err
    assert [one for one in (tmp_path / "etc").rglob("*") if one.is_file()] == [theirs]
    assert theirs.read_text() == "mine"


def test_a_link_to_somewhere_is_not_followed(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "environment").symlink_to(tmp_path / "elsewhere")
    assert initialise(tmp_path, BASE | {"client_secret_file": str(secret)}) == 2
    assert not (tmp_path / "elsewhere").exists()


WRONG: dict[str, tuple[str, str, str]] = {
    "public address without https": ("public_url", "http://daas.facility.org/", "must begin with https://"),
    "public address with a query": ("public_url", "https://daas.facility.org/?x", "with at most a path"),
    "issuer that is not an address": ("issuer", "keycloak", "is not an address"),
    "issuer with a bad port": ("issuer", "https://keycloak:x/", "is not an address"),
    "unknown source": ("accounts", "LDAP", "is not one of: table, ldap, nss, claims"),
    "template without a field": ("data", "/data/visitor", "{proposal}"),
    "template with an unknown field": ("data", "/data/{propsal}", "propsal"),
    "relative template": ("home", "home/{account}", "absolute"),
    "port of the system": ("port", "80", "is not a port"),
    "state that is relative": ("state", "var/lib", "is not an absolute path"),
    "secret that is nowhere": ("client_secret_file", "/nowhere/at/all", "cannot be read"),
    "no such question": ("facilty", "x", "Did you mean facility?"),
    "empty where something is needed": ("facility", "", "needs an answer"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_is_refused_by_name(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, answer, words = WRONG[case]
    assert initialise(tmp_path, BASE | {name: answer}) == 2
    said = capsys.readouterr().err
    assert words in said
    assert name in said
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(
    ("name", "answer", "accepted"),
    [
        ("registry", "registry.facility.org/daas", True), ("registry", "localhost/daas-hub", True),
        ("registry", "registry:5000", True), ("registry", "127.0.0.1:5000/x", True),
        ("registry", "daas-hub", False), ("registry", "daas-hub/images", False), ("registry", "registry.org/UP", False),
        ("group_pattern", "(?P<proposal>x)", True), ("group_pattern", "x", False), ("group_pattern", "(", False),
        ("ldap_server", "ldaps://ldap.facility.org:636", True), ("ldap_server", "ldap.facility.org", False),
        ("ldap_people", "ou=people,dc=facility,dc=org", True), ("ldap_people", "people", False),
    ],
)  # fmt: skip
def test_what_an_answer_may_be(name: str, answer: str, accepted: bool) -> None:
    question = next(one for one in QUESTIONS if one.name == name)
    if accepted:
        assert question.accepted(f" {answer} ") == answer
    else:
        with pytest.raises(WrongAnswer):
            question.accepted(answer)


def test_a_question_is_asked_only_where_it_matters() -> None:
    answers, _ = collect(questions_of(None), dict(BASE), interactive=False)
    assert not {name for name in answers if name.startswith(("ldap", "proposals_", "group", "registry"))}


def test_the_questions_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--questions"]) == 0
    said = capsys.readouterr().out
    assert [one.name for one in QUESTIONS if f"{one.name}: " not in said] == []


def test_somebody_types_the_answers(tmp_path: Path) -> None:
    """At a terminal: a wrong answer is asked about again at once, and a secret is not shown."""
    replies = [
        (b"Name of the facility", "My Light Source"), (b"help", ""), (b"Address of the portal", "http://x/"),
        (b"must begin with https://", "https://daas.facility.org/"), (b"Issuer", BASE["issuer"]),
        (b"client id", ""), (b"secret", "typed-in"), (b"accounts", "nss"), (b"proposals", ""), (b"sessions", ""),
        (b"Raw data", BASE["data"]), (b"Processed", ""), (b"Home", ""), (b"own data", ""), (b"Port", ""),
    ]  # fmt: skip
    shown, code = typed([sys.executable, "-m", "tests.commands.init.run", str(tmp_path / "etc")], replies)
    assert "written:" in shown, shown
    assert code in (0, 1)  # 1 where this machine builds no sandbox
    assert "typed-in" not in shown
    assert (tmp_path / "etc" / "secrets" / "oidc").read_text() == "typed-in\n"
    assert 'c.Facility.accounts = "nss"' in (tmp_path / "etc" / "jupyterhub_config.py").read_text()


def typed(argv: list[str], replies: list[tuple[bytes, str]]) -> tuple[str, int]:
    """Run a program at a terminal; answer each prompt when it is there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, cwd=Path(__file__).parents[3]
    ) as process:
        os.close(theirs)
        shown, seen = b"", 0
        for prompt, reply in replies:
            shown = _read(ours, shown, lambda said, begin=seen, words=prompt: words in said[begin:])
            assert prompt in shown[seen:], (prompt, shown.decode())
            seen = len(shown)
            os.write(ours, reply.encode() + b"\n")
        shown = _read(ours, shown, lambda said: b"doctor" in said or b"Then:" in said)
        code = process.wait(30)
    os.close(ours)
    return shown.decode(), code


def _read(terminal: int, shown: bytes, enough: Any) -> bytes:
    """Read until there is enough, or nothing more comes."""
    until = time.monotonic() + 60
    while not enough(shown) and time.monotonic() < until:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # its end: the program is gone
                break
    return shown
