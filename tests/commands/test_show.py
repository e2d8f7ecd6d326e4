"""`daas-hub show-proposals`: an administrator sees what a launch would see, or what came instead (EL24, PS07)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.accounts import Identity
from daas_hub.accounts.sources.link_store import LinkStore
from daas_hub.commands.main import main
from daas_hub.facility import Facility
from tests.commands.configured_spawner import AUTHORISING_SPAWNER
from tests.stand_ins.icatplus import IcatPlus
from tests.stand_ins.running import running_beside

ISSUER = "https://login.example.org/realms/users"
CONFIG = f"""
from daas_hub import configure
configure(c)
{AUTHORISING_SPAWNER}
c.Facility.accounts_file = "@FOLDER@/accounts.yaml"
c.Facility.proposals_file = "@FOLDER@/proposals.yaml"
c.Facility.catalogue = ["@FOLDER@/applications"]
c.MountRules.data = ["/data/visitor/{{proposal}}/{{beamline}}/{{visit}}"]
c.UmbrellaAuthenticator.oidc_issuer = "{ISSUER}"
c.UmbrellaAuthenticator.client_id = "daas-hub"
"""
ACCOUNTS = f"""
accounts:
  - name: anna
    uid: 25001
    gid: 25001
    groups: {{ma-4242: 26001}}
    logins:
      - {{issuer: "{ISSUER}", subject: s-anna}}
      - {{issuer: "https://umbrella.example.org", subject: u-anna}}
"""
PROPOSALS = """
proposals:
  - id: MA-4242
    title: Roman glass
    beamlines: [ID21]
    members: [anna]
    gid: 26001
    visits:
      - {number: 1, beamline: ID21, start: 2026-03-09T08:00:00Z, data: [/data/visitor/a]}
      - {number: 2}
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    yield
    Facility.clear_instance()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "applications").mkdir()
    (tmp_path / "applications" / "lab.yaml").write_text("name: lab\ntitle: JupyterLab\nkind: notebook\n")
    (tmp_path / "accounts.yaml").write_text(ACCOUNTS)
    (tmp_path / "proposals.yaml").write_text(PROPOSALS)
    config = tmp_path / "jupyterhub_config.py"
    config.write_text(CONFIG.replace("@FOLDER@", str(tmp_path)))
    return config


def test_of_several_providers_one_has_to_be_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """C1: the same subject of another issuer is another person."""
    one = f'{{"issuer": "{ISSUER}", "client_id": "x", "client_secret": "TOP-SECRET"}}'
    egi = '{"profile": "egi", "client_id": "x", "client_secret": "TOP-SECRET"}'
    text = file.read_text().replace("c.UmbrellaAuthenticator.oidc_issuer", "hidden")
    text += '\nc.UmbrellaAuthenticator.client_id = c.UmbrellaAuthenticator.client_secret = ""'
    file.write_text(f'{text}\nc.UmbrellaAuthenticator.providers = {{"one": {one}, "egi": {egi}}}\n')
    assert main(["show-proposals", str(file), "s-anna"]) == 1
    said = capsys.readouterr().out
    assert "--issuer" in said
    assert ISSUER in said
    assert "TOP-SECRET" not in said
    assert main(["show-proposals", str(file), "s-anna", "--issuer", ISSUER]) == 0


@pytest.mark.parametrize("login", [["s-anna"], ["u-anna", "--issuer", "https://umbrella.example.org"]])
def test_what_a_launch_would_see(file: Path, login: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show-proposals", str(file), *login]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "account anna (uid 25001, gid 25001), groups: ma-4242 (26001)",
        "MA-4242  'Roman glass'  group 26001  ID21",
        "  visit 1 (1)  2026-03-09  ID21  data: /data/visitor/a",
        "  visit 2 (2)  no date  no beamline  data: see MountRules.data",
        "1 proposal",
    ]


@pytest.mark.parametrize(
    ("more", "subject", "words"),
    [
        pytest.param("", "nobody", "This facility has no account for your login yet.", id="B2 no account"),
        pytest.param(
            "c.Facility.nmae = 1", "s-anna", "Did you mean Facility.name?", id="a problem of the configuration"
        ),
        pytest.param(
            'c.Facility.proposals = "icatplus"\nc.IcatPlusProposals.url = "http://127.0.0.1:1"\n'
            f'c.IcatPlusProposals.issuer = "{ISSUER}"',
            "s-anna",
            "detail: icatplus at http://127.0.0.1:1: asked for the investigations of anna, got nothing",
            id="a source that needs a token",
        ),
    ],
)
def test_what_came_instead(file: Path, more: str, subject: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"{file.read_text()}{more}\n")
    assert main(["show-proposals", str(file), subject]) == 1
    assert words in capsys.readouterr().out


def test_in_the_persons_name(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """L3: the token comes from a private file, not from the command line."""
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("token-of-ben\n")
    with running_beside(IcatPlus().app()) as url:
        more = f'c.Facility.proposals = "icatplus"\nc.IcatPlusProposals.url = "{url}"\n'
        file.write_text(f'{file.read_text()}{more}c.IcatPlusProposals.issuer = "{ISSUER}"\n')
        assert main(["show-proposals", str(file), "s-anna", "--token-file", str(token)]) == 0
        shown = capsys.readouterr().out
        assert "MA-4242" in shown
        assert "token-of-ben" not in shown
        token.chmod(0o644)
        assert main(["show-proposals", str(file), "s-anna", "--token-file", str(token)]) == 1
    assert "can be read by others" in capsys.readouterr().out


def test_connected_logins_are_shown_and_removed(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """AL60: what people connected, for an administrator."""
    assert main(["links", str(file)]) == 1
    assert "Facility.accounts" in capsys.readouterr().out
    Facility.clear_instance()
    more = f'c.Facility.accounts = ["table", "links"]\nc.Facility.state = "{tmp_path}"\n'
    file.write_text(file.read_text() + more)
    assert main(["links", str(file)]) == 0
    assert capsys.readouterr().out == "0 connected logins\n"
    assert not (tmp_path / "private").exists(), "looking makes nothing"
    store = LinkStore(tmp_path / "private" / "links.sqlite", clock=lambda: 1_790_000_000.0)
    s_anna = Identity(ISSUER, "s-anna")
    asyncio.run(store.connect(Identity(ISSUER, "e-anna"), s_anna, "anna", 25001))
    asyncio.run(store.connect(Identity(ISSUER, "e-ben"), Identity(ISSUER, "s-ben"), "ben", 25002))
    assert main(["links", str(file), "--account", "anna"]) == 0
    told = f"anna (uid 25001): e-anna of {ISSUER}, since 2026-09-21\n1 connected login\n"
    assert capsys.readouterr().out == told
    assert main(["show-proposals", str(file), "e-anna"]) == 0
    assert "MA-4242" in capsys.readouterr().out
    assert main(["links", str(file), "--remove", ISSUER, "e-anna"]) == 0
    assert main(["links", str(file), "--remove", ISSUER, "e-anna"]) == 1
    assert main(["show-proposals", str(file), "e-anna"]) == 1
    capsys.readouterr()
    store.path.chmod(0o644)
    assert main(["links", str(file)]) == 1
    assert "chmod 600" in capsys.readouterr().out
