"""Settings of DockerSpawner: each is declared, what does not work is refused at the hub's start; missing extras."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dockerspawner import DockerSpawner
from traitlets.config import Config

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.docker.spawner import ProposalDockerSpawner
from daas_hub.stock_settings import inherited_settings

#: What a plain hub needs, with an authenticator that knows nothing of facilities.
PLAIN = {
    "JupyterHub": {"authenticator_class": "dummy", "spawner_class": "proposal-docker", "allow_named_servers": True},
    "Facility": {"identity_of": lambda user, auth_state: None},
    "ProposalDockerSpawner": {"engine": "unix:///run/docker.sock"},
}
STOCK = ProposalDockerSpawner.stock_settings


def problems(**sections: dict[str, object]) -> list[str]:
    config = Config(PLAIN)
    config.merge(Config(sections))
    return [
        problem.setting
        for problem in ProposalDockerSpawner.startup_problems(config)
        if isinstance(problem, ConfigurationError)
    ]


def test_every_inherited_setting_is_declared() -> None:
    """A release of DockerSpawner that adds a setting makes this fail: honour it, or say what to set instead."""
    assert STOCK.mismatches(ProposalDockerSpawner) == []
    assert len(inherited_settings(ProposalDockerSpawner)) > 60


def test_deprecated_names_are_refused_with_the_new_ones() -> None:
    """DockerSpawner would copy the value to the new name, and warn of nothing but the old one."""
    aliases = {old: new for old, (new, _) in DockerSpawner._deprecated_aliases.items()}
    assert set(aliases) <= set(STOCK.refused)
    assert [name for name in STOCK.honoured if name.startswith("tls")] == []


@pytest.mark.parametrize("name", sorted(STOCK.refused))
@pytest.mark.parametrize("section", ["Spawner", "DockerSpawner", "ProposalDockerSpawner"])
def test_what_does_not_work_is_refused(section: str, name: str) -> None:
    assert problems(**{section: {name: "anything"}}) == [f"{section}.{name}"]


@pytest.mark.parametrize("name", sorted(STOCK.honoured))
def test_what_works_is_accepted(name: str) -> None:
    assert problems(DockerSpawner={name: ProposalDockerSpawner().trait_defaults(name)}) == []


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"engine": "tcp://docker1:2375"}, ["ProposalDockerSpawner.engine"]),
        ({"engine": "tcp://docker1:2376", "certificates": "/nowhere"}, ["ProposalDockerSpawner.certificates"]),
        ({"engine": "ssh://daas@docker1"}, []),
        ({"pull": "missing", "read_only": ["/opt/tools"], "hub_label": "a", "runtime_dir": "/run/a"}, []),
    ],
    ids=["plain", "certificates", "ssh", "ours"],
)
def test_address_is_looked_at_when_the_hub_starts(settings: dict[str, Any], refused: list[str]) -> None:
    assert problems(ProposalDockerSpawner=settings) == refused


def test_nothing_is_pulled_by_default() -> None:
    assert ProposalDockerSpawner().pull == "never"


# -- extras that are not installed -----------------------------------------------------------------------------------

CONFIGURATION = """
from daas_hub import configure
configure(c)
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "proposal-docker"
c.JupyterHub.db_url = "sqlite://"
"""


def run_without(library: str, folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in which a library cannot be imported."""
    program = f"import conftest, sys\nsys.modules[{library!r}] = None\n{code}"
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("library", ["aiodocker", "docker", "dockerspawner"])
def test_hub_without_the_extra_says_what_to_install(tmp_path: Path, library: str) -> None:
    file = tmp_path / "jupyterhub_config.py"
    file.write_text(CONFIGURATION)
    file.chmod(0o600)
    code = "from jupyterhub.app import main\nmain()"
    started = run_without(library, tmp_path, code, "-f", str(file))
    assert started.returncode == 1
    sentence = f"needs {library}, which is not installed. Install daas-hub[docker]"
    assert sentence in started.stderr
    code = "from daas_hub.commands.main import main\nsys.argv[0] = 'daas-hub'\nsys.exit(main())"
    checked = run_without(library, tmp_path, code, "check-config", str(file))
    assert checked.returncode != 0
    assert sentence in checked.stdout + checked.stderr
    assert "Traceback" not in checked.stderr


def test_engine_on_another_machine_without_the_extra_says_what_to_install(tmp_path: Path) -> None:
    code = """
from traitlets.config import Config
from daas_hub.spawners.docker.checks import address_problems
(found,) = address_problems(Config({"ProposalDockerSpawner": {"engine": "ssh://daas@docker1"}}))
print(found)
"""
    said = run_without("asyncssh", tmp_path, code)
    assert "Install daas-hub[remote]" in said.stdout, said.stderr


def test_engine_of_this_machine_needs_no_asyncssh(tmp_path: Path) -> None:
    """The extra [remote] is for engines elsewhere: nothing of the others loads it."""
    code = "from daas_hub.spawners.docker import ProposalDockerSpawner\nprint(ProposalDockerSpawner.__name__)"
    said = run_without("asyncssh", tmp_path, code)
    assert said.stdout.strip() == "ProposalDockerSpawner", said.stderr
