"""The service of operators' commands in a configuration: when there is one, its rights, and its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets.config import Config

from daas_hub import configure
from daas_hub.errors import ConfigurationError
from daas_hub.operators import SCOPES, SERVICE, allow_commands, role_problems, token_of

TOKEN = "0123456789abcdef" * 4


def configured(tmp_path: Path, token: str = TOKEN) -> Config:
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    file.chmod(0o600)
    c = Config()
    configure(c, operator_token_file=str(file))
    return c


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAAS_HUB_TOKEN", raising=False)


def test_without_a_token_there_is_no_service() -> None:
    c = Config()
    configure(c)
    assert "services" not in c.JupyterHub
    assert "load_roles" not in c.JupyterHub
    assert token_of(c) == ""
    assert role_problems(c) == []


def test_the_service_has_the_least_rights(tmp_path: Path) -> None:
    c = configured(tmp_path)
    assert c.JupyterHub.services == [{"name": SERVICE, "api_token": TOKEN, "display": False}]
    assert c.JupyterHub.load_roles == [
        {"name": SERVICE, "scopes": ["admin-ui", "delete:servers"], "services": [SERVICE]}
    ]
    assert set(SCOPES) == {"admin-ui", "delete:servers"}
    assert token_of(c) == TOKEN
    assert role_problems(c) == []


def test_the_environment_may_have_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAAS_HUB_TOKEN", TOKEN)
    c = Config()
    configure(c)
    assert token_of(c) == TOKEN


def test_other_services_and_roles_stay() -> None:
    c = Config()
    c.JupyterHub.services = [{"name": "culler", "api_token": "y" * 32}]
    c.JupyterHub.load_roles = [{"name": "culler", "services": ["culler"], "scopes": ["list:users"]}]
    for _ in range(2):
        allow_commands(c, environment={"DAAS_HUB_TOKEN": TOKEN})
    assert [one["name"] for one in c.JupyterHub.services] == ["culler", SERVICE]
    assert [one["name"] for one in c.JupyterHub.load_roles] == ["culler", SERVICE]


@pytest.mark.parametrize("lost", ["services", "load_roles"])
def test_a_later_line_that_replaces_a_list_is_a_problem(lost: str, tmp_path: Path) -> None:
    c = configured(tmp_path)
    c.JupyterHub[lost] = [{"name": "culler"}]
    (problem,) = role_problems(c)
    assert problem.setting == f"JupyterHub.{lost}"
    assert f"c.JupyterHub.{lost}.append(" in problem.remedy
    assert TOKEN not in str(problem)


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="fewer than 32 characters") as refused:
        configured(tmp_path, "short-token")
    assert "short-token" not in str(refused.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="can be read by others") as refused:
        configure(Config(), operator_token_file=str(file))
    assert refused.value.remedy == f"chmod 600 {file}"
