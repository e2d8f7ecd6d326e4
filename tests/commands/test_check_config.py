"""`daas-hub check-config`: the shipped configuration is in order; what is wrong is told by name, value and remedy.

EL24, PS07: an administrator finds out before a user does.
"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from jupyterhub.crypto import CryptKeeper

from daas_hub.commands.check_config import check_config
from daas_hub.commands.main import main
from daas_hub.errors import DaasError
from daas_hub.facility import Facility
from tests.commands.configured_spawner import AUTHORISING_SPAWNER

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef" * 4

ACCOUNTS = """
accounts:
  - {name: anna, uid: 25001, gid: 25001, logins: [{issuer: "https://login.example.org", subject: anna}]}
"""

#: A facility's own configuration, in order. Each case below changes it in one place.
GOOD = """
from daas_hub import configure
configure(c)
@SPAWNER@
c.Facility.name = "My Light Source"
c.Facility.accounts_file = "@FOLDER@/accounts.yaml"
c.Facility.proposals_file = "@FOLDER@/proposals.yaml"
c.Facility.catalogue = ["@FOLDER@/applications"]
c.MountRules.data = ["/data/visitor/{proposal}/{beamline}/{visit}"]
c.MountRules.processed = "/data/processed/{proposal}"
c.MountRules.home = "/home/{account}"
c.UmbrellaAuthenticator.oidc_issuer = "https://login.example.org/realms/users"
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret = "TOP-SECRET"
""".replace("@SPAWNER@", AUTHORISING_SPAWNER)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check is a process of its own in real life: nothing of an earlier one is known."""
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", KEY)
    CryptKeeper.clear_instance()
    Facility.clear_instance()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a configuration, with the files it names."""
    (tmp_path / "applications").mkdir()
    (tmp_path / "applications" / "lab.yaml").write_text("name: lab\ntitle: JupyterLab\nkind: notebook\n")
    (tmp_path / "accounts.yaml").write_text(ACCOUNTS)
    (tmp_path / "proposals.yaml").write_text("proposals: []\n")
    return tmp_path


def check(folder: Path, text: str) -> list[DaasError]:
    file = folder / "jupyterhub_config.py"
    file.write_text(text.replace("@FOLDER@", str(folder)))
    return check_config(file)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.sandbox
@pytest.mark.usefixtures("sandbox_works")
def test_the_shipped_configuration_is_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R07: `make demo` starts with what is in the checkout."""
    monkeypatch.setenv("DAAS_DEMO_STATE", str(tmp_path))
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY")
    assert list(map(str, check_config(ROOT / "jupyterhub_config.py"))) == []


def test_a_facilitys_own_configuration_is_in_order(folder: Path) -> None:
    assert list(map(str, check(folder, GOOD))) == []


#: id -> (configuration, the setting, the value as shown, the remedy)
BROKEN: dict[str, tuple[str, str, str, str]] = {
    # names
    "a misspelt setting": (GOOD + 'c.Facility.nmae = "x"', "Facility.nmae", "'x'", "Did you mean Facility.name?"),
    "a misspelt setting of the mounts": (
        GOOD + 'c.MountRules.proccessed = "/x"', "MountRules.proccessed", "'/x'", "Did you mean MountRules.processed?",
    ),
    "a misspelt setting of the login": (
        GOOD + 'c.UmbrellaAuthenticator.oidc_isuer = "x"', "UmbrellaAuthenticator.oidc_isuer", "'x'", "oidc_issuer?",
    ),
    "a misspelt setting of the hub": (
        GOOD + 'c.JupyterHub.bind_ulr = "x"', "JupyterHub.bind_ulr", "'x'", "Did you mean JupyterHub.bind_url?",
    ),
    "a misspelt setting of every login": (
        GOOD + "c.Authenticator.alow_all = True", "Authenticator.alow_all", "True", "Authenticator.allow_all?",
    ),
    "a misspelt setting of every session": (
        GOOD + "c.JupyterHub.spawner_class = 'sandbox'\nc.Spawner.start_timeot = 9",
        "Spawner.start_timeot", "9", "Did you mean Spawner.start_timeout?",
    ),
    "a misspelt section": (GOOD + 'c.Faciltiy.name = "x"', "Faciltiy", "x", "Did you mean Facility?"),
    "a setting nothing is like": (GOOD + "c.Facility.zzzzqqq = 1", "Facility.zzzzqqq", "1", "Remove the line."),
    "L3 a misspelt secret": (
        GOOD + 'c.UmbrellaAuthenticator.client_secrett = "TOP-SECRET"',
        "UmbrellaAuthenticator.client_secrett", "(not shown)", "client_secret?",
    ),
    "L3 a secret deep in a misspelt setting": (
        GOOD + 'c.UmbrellaAuthenticator.provders = {"a": {"client_secret": "TOP-SECRET"}}',
        "UmbrellaAuthenticator.provders", "(not shown)", "UmbrellaAuthenticator.providers?",
    ),
    "a misspelt profile of one of several providers": (
        changed("c.UmbrellaAuthenticator.oidc_issuer", "c.UmbrellaAuthenticator.providers = {'a': {'profile': 'eggi', "
        "'client_id': 'x'}}\nhidden"),
        "UmbrellaAuthenticator.providers['a']['profile']", "'eggi'", "'egi'",
    ),
    "a misspelt setting of a source": (
        GOOD + 'c.Facility.proposals = ["static", "groups"]\nc.GroupProposals.pattrn = "x"',
        "GroupProposals.pattrn", "'x'", "Did you mean GroupProposals.pattern?",
    ),
    "a misspelt setting of every service": (
        GOOD + 'c.Facility.proposals = "icat"\nc.ProposalService.timeout = 5', "ProposalService.timeout", "5",
        "Did you mean ProposalService.timeout_s?",
    ),
    "a source that cannot work": (
        GOOD + 'c.Facility.proposals = "groups"', "GroupProposals.pattern", "''", "(?P<proposal>",
    ),
    "a source that does not exist": (
        GOOD + 'c.Facility.proposals = ["icta"]', "Facility.proposals", "'icta'", "Known here: ",
    ),
    "a number for a source": (GOOD + "c.Facility.proposals = 7", "Facility.proposals", "7", "It must be"),
    "L3 a password in a source's address": (
        GOOD + 'c.Facility.proposals = "groups"\nc.GroupProposals.pattern = "(?P<proposal>p)"\n'
        'c.Facility.proposals = "icat"\nc.IcatProposals.url = "https://a:TOP-SECRET@x.org"',
        "IcatProposals.url", "(not shown)", "Remove it",
    ),
    # types
    "text for a number": (GOOD + 'c.Facility.min_id = "1000"', "Facility.min_id", "'1000'", "It must be an int."),
    "a number for text": (GOOD + "c.Facility.name = 7", "Facility.name", "7", "It must be a unicode string."),
    "a number for a list": (GOOD + "c.Facility.catalogue = 7", "Facility.catalogue", "7", "It must be a list."),
    "a list of numbers": (GOOD + "c.MountRules.data = [7]", "MountRules.data", "[7]", "It must be a list."),
    "L3 a secret of a wrong type": (
        GOOD + "c.UmbrellaAuthenticator.client_secret = ['TOP-SECRET']",
        "UmbrellaAuthenticator.client_secret", "(not shown)", "It must be a unicode string.",
    ),
    # sources and files
    "linking that nobody keeps": (
        GOOD + 'c.UmbrellaAuthenticator.linking = "ldap"', "UmbrellaAuthenticator.linking", "'ldap'", '"links"]',
    ),
    "links that stand alone": (
        GOOD + 'c.Facility.accounts = ["links"]', "Facility.accounts", "['links']", '["ldap", "links"]',
    ),
    "linking with passwords of nobody": (
        GOOD + 'c.Facility.accounts = ["ldap", "links"]\nc.UmbrellaAuthenticator.linking = "ldap"\n'
        'c.LdapAccounts.servers = ["ldaps://ldap.example.org"]\nc.LdapAccounts.person_base = "dc=example"\n'
        'c.LdapAccounts.issuers = ["https://login.example.org/realms/users"]',
        "PasswordLogin.issuer", "'ldap:dc=example'", "LdapAccounts.issuers",
    ),
    "an unknown account source": (GOOD + 'c.Facility.accounts = "ldpa"', "Facility.accounts", "'ldpa'", "table"),
    "an unknown proposal source": (GOOD + 'c.Facility.proposals = "icta"', "Facility.proposals", "'icta'", "static"),
    "a missing account file": (
        changed("accounts.yaml", "acounts.yaml"), "Facility.accounts_file", "acounts.yaml", "Give the path",
    ),
    "no proposal file": (
        changed('c.Facility.proposals_file = "@FOLDER@/proposals.yaml"', ""),
        "Facility.proposals_file", "''", "Give the path of the YAML file.",
    ),
    "an empty catalogue": (changed('["@FOLDER@/applications"]', "[]"), "Facility.catalogue", "[]", "Name a folder"),
    # the login
    "E11 login over an open line": (
        changed("https://login.example.org/realms", "http://login.example.org/realms"),
        "UmbrellaAuthenticator.oidc_issuer", "'http://login.example.org/realms/users'", "'issuer'",
    ),
    "no issuer": (
        changed("https://login.example.org/realms/users", ""), "UmbrellaAuthenticator.oidc_issuer", "''", "'issuer'",
    ),
    "an issuer that cannot be read": (
        changed("https://login.example.org/realms/users", "https://[login"),
        "UmbrellaAuthenticator.oidc_issuer", "'https://[login'", "'issuer'",
    ),
    "no client": (
        changed('client_id = "daas-hub"', 'client_id = ""'), "UmbrellaAuthenticator.client_id", "''", "Register the",
    ),
    "an unknown login": (
        GOOD + 'c.JupyterHub.authenticator_class = "umbrela"',
        "JupyterHub.authenticator_class", "'umbrela'", "Did you mean 'umbrella'?",
    ),
    "an unknown backend": (
        GOOD + 'c.JupyterHub.spawner_class = "sandboxx"',
        "JupyterHub.spawner_class", "'sandboxx'", "Did you mean 'sandbox'?",
    ),
    "a backend nothing is like": (
        GOOD + 'c.JupyterHub.spawner_class = "zzz"', "JupyterHub.spawner_class", "'zzz'", "Known: ",
    ),
    "a backend whose module is missing": (
        GOOD + 'c.JupyterHub.spawner_class = "nowhere.Spawner"', "JupyterHub.spawner_class", "'nowhere.Spawner'", "",
    ),
    "bubblewrap is not installed": (
        GOOD + 'c.JupyterHub.spawner_class = "sandbox"\nc.SandboxSpawner.bwrap = "/nowhere/bwrap"',
        "SandboxSpawner.bwrap", "'/nowhere/bwrap'", "apt-get install bubblewrap",
    ),
    "limits that sessions do not take from the spawner": (
        GOOD + 'c.JupyterHub.spawner_class = "sandbox"\nc.Spawner.mem_limit = "1G"',
        "Spawner.mem_limit", "does not apply to SandboxSpawner", "sizes.yaml",
    ),
    "the spawner by the name of its class": (
        GOOD + 'c.JupyterHub.spawner_class = "daas_hub.spawners.sandbox.SandboxSpawner"\nc.Spawner.cmd = ["sh"]',
        "Spawner.cmd", "does not apply to SandboxSpawner", "`command`",
    ),
    "the class of the spawner itself": (
        GOOD + "from daas_hub.spawners.sandbox import SandboxSpawner\nc.JupyterHub.spawner_class = SandboxSpawner\n"
        "c.SandboxSpawner.notebook_dir = '/data'",
        "SandboxSpawner.notebook_dir", "does not apply to SandboxSpawner", "MountRules",
    ),
    "a Python that sessions do not see": (
        GOOD + 'c.JupyterHub.spawner_class = "sandbox"\nc.SandboxSpawner.prefix = "@FOLDER@"',
        "SandboxSpawner.prefix", "is not a Python environment", "/opt/daas-hub",
    ),
    "another authenticator and nobody says who it is": (
        GOOD + 'c.JupyterHub.spawner_class = "sandbox"\nc.JupyterHub.authenticator_class = "dummy"',
        "Facility.identity_of", "is required with DummyAuthenticator", "daas_hub.accounts.Identity",
    ),
    # paths
    "an unknown field": (
        changed("{beamline}/{visit}", "{instrument}/{visit}"), "MountRules.data", "{instrument}", "Known: {proposal}",
    ),
    "a relative path": (
        changed('"/data/visitor', '"data/visitor'), "MountRules.data", "'data/visitor/", "Write it from the root",
    ),
    "one home for all": (changed("/home/{account}", "/home/user"), "MountRules.home", "'/home/user'", "{account}"),
    "one place for all proposals": (
        changed("/processed/{proposal}", "/processed"), "MountRules.processed", "'/data/processed'", "Add {proposal}",
    ),
    # the demo
    "PS03 the demo on every address": (
        GOOD + 'c.Facility.demo = True\nc.JupyterHub.bind_url = "http://0.0.0.0:8000"',
        "JupyterHub.bind_url", "'http://0.0.0.0:8000'", "Remove demo(c)",
    ),
    # the file itself
    "a syntax error": ("c.Facility.name = (", "file", "jupyterhub_config.py'", "SyntaxError"),
    "an unknown name": ("d.Facility.name = 1", "file", "jupyterhub_config.py'", "NameError"),
    "a module that is not installed": ("import nowhere_at_all", "file", "jupyterhub_config.py'", "ModuleNotFoundError"),
    "a file that ends the program": ("raise SystemExit(0)", "file", "jupyterhub_config.py'", "SystemExit"),
    "hardly anything set": ("from daas_hub import configure\nconfigure(c)", "Facility.accounts_file", "''", "path"),
}  # fmt: skip


def test_the_table_is_long_enough() -> None:
    assert len(BROKEN) >= 10


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_is_reported_by_name_value_and_remedy(folder: Path, name: str) -> None:
    text, setting, value, remedy = BROKEN[name]
    told = [str(problem) for problem in check(folder, text)]
    assert any(setting in one and value in one and remedy in one for one in told), told
    assert "TOP-SECRET" not in "".join(told), "L3"


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        pytest.param("accounts.yaml", "accounts: [", "accounts.yaml, line 1", id="accounts that are no YAML"),
        pytest.param(
            "accounts.yaml", ACCOUNTS.replace("25001, gid", "'1', gid"), "line 3: accounts.0.uid", id="B1 a uid"
        ),
        pytest.param("proposals.yaml", "proposals: [{id: ../x}]\n", "line 1: proposals.0.id", id="A1 a proposal's id"),
        pytest.param("applications/bad.yaml", "name: bad\n", "bad.yaml, line 1", id="an application that is left out"),
    ],
)
def test_a_broken_file_is_reported_with_its_line(folder: Path, file: str, text: str, words: str) -> None:
    (folder / file).write_text(text)
    assert any(words in str(problem) for problem in check(folder, GOOD))


def test_without_a_key_for_what_is_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L4: login tokens are never stored unencrypted."""
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY")
    (problem,) = check(folder, GOOD)
    assert "JUPYTERHUB_CRYPT_KEY" in str(problem)
    assert "openssl rand -hex 32" in problem.remedy


@pytest.mark.parametrize(
    "key", ["too-short", "é" * 32, "x" * 65, KEY + ";short"], ids=["short", "not ASCII", "long", "the second of two"]
)
def test_a_key_that_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """L3, L4: told by name, without the key."""
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", key)
    problems = check(folder, GOOD)
    assert any("JUPYTERHUB_CRYPT_KEY" in str(problem) for problem in problems)
    assert key not in "".join(map(str, problems))


def test_a_secret_others_can_read(folder: Path) -> None:
    """L3."""
    secret = folder / "cookie_secret"
    secret.write_text("x")
    secret.chmod(0o644)
    text = GOOD + 'c.JupyterHub.cookie_secret_file = "@FOLDER@/cookie_secret"\n'
    (problem,) = check(folder, text)
    assert "JupyterHub.cookie_secret_file" in str(problem)
    assert problem.remedy == f"chmod 600 {secret}"
    secret.chmod(stat.S_IRUSR)
    assert check(folder, text) == []


def test_several_problems_are_reported_together(folder: Path) -> None:
    told = check(folder, GOOD + "c.Facility.nmae = 1\nc.Facility.min_id = None\nc.MountRules.hom = 2\n")
    assert len(told) == 3


@pytest.mark.parametrize("place", ["missing.py", "."])
def test_no_file(folder: Path, place: str) -> None:
    (problem, *_) = check_config(folder / place)
    assert "file" in str(problem)
    assert problem.remedy


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_says_what_is_in_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "jupyterhub_config.py"
    file.write_text(GOOD.replace("@FOLDER@", str(folder)))
    assert main(["check-config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: in order\n"


def test_the_command_says_what_is_not_and_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "jupyterhub_config.py"
    file.write_text(GOOD.replace("@FOLDER@", str(folder)) + "c.Facility.nmae = 1\n")
    assert main(["check-config", str(file)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "problem: Facility.nmae = 1: there is no such setting",
        "  fix: Did you mean Facility.name?",
        f"{file}: 1 problem",
    ]


def test_the_demo_does_not_start_with_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "jupyterhub_config.py"
    file.write_text("c.Facility.nmae = 1\n")
    assert main(["demo", str(file)]) == 1
    assert "Did you mean Facility.name?" in capsys.readouterr().err


IN_AN_IMAGE = "name: lab\ntitle: Lab\nkind: notebook\nimage: localhost/daas-hub/python:1\n"
DOCKER = GOOD.replace(AUTHORISING_SPAWNER, 'c.JupyterHub.spawner_class = "proposal-docker"\n')


def problems_of(folder: Path, text: str) -> list[str]:
    """Return the words of what is wrong with a configuration."""
    (folder / "config.py").write_text(text.replace("@FOLDER@", str(folder)))
    return [str(problem) for problem in check_config(folder / "config.py")]


def test_application_without_an_image_is_reported_before_a_user_finds_out(folder: Path) -> None:
    assert any("has no image" in one for one in problems_of(folder, DOCKER))
    (folder / "applications" / "lab.yaml").write_text(
        "name: lab\ntitle: Lab\nkind: notebook\nimage: localhost/daas-hub/python:1\n"
    )
    Facility.clear_instance()
    assert problems_of(folder, DOCKER) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('c.DockerSpawner.volumes = {"/": "/host"}', "DockerSpawner.volumes"),
        ('c.ProposalDockerSpawner.extra_host_config = {"privileged": True}', "ProposalDockerSpawner.extra_host_config"),
        ('c.DockerSpawner.image = "other:1"', "DockerSpawner.image"),
        ('c.ProposalDockerSpawner.engine = "tcp://docker1:2375"', "whoever reaches the port is root"),
        ('c.ProposalDockerSpawner.pull = "sometimes"', "has the wrong type"),
    ],
)
def test_setting_that_would_do_nothing_or_harm_is_reported(folder: Path, line: str, words: str) -> None:
    """AL31: a stock setting that is ignored is one somebody relies on."""
    (folder / "applications" / "lab.yaml").write_text(
        "name: lab\ntitle: Lab\nkind: notebook\nimage: localhost/daas-hub/python:1\n"
    )
    assert any(words in one for one in problems_of(folder, f"{DOCKER}{line}\n"))


@pytest.mark.parametrize(
    "name", ["simple", "jupyterhub.spawner.LocalProcessSpawner", "localprocess"], ids=["entry point", "path", "stock"]
)
def test_a_spawner_that_cannot_authorise_is_refused(folder: Path, name: str) -> None:
    """Pressing an application's button would start a plain notebook server, without any check."""
    (problem,) = check(folder, f'{GOOD}\nc.JupyterHub.spawner_class = "{name}"\n')
    assert "cannot authorise the portal's launches" in str(problem)
    assert name in str(problem)
