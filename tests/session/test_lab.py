"""How a notebook server of ours differs from JupyterHub's: whose it is, and the settings JupyterLab starts with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jupyterlab_server.settings_utils import _get_overrides

from daas_hub.session.lab import lab_settings
from daas_hub.session.lab_login import OwnerHubAuth, OwnerIdentityProvider

NOTIFICATIONS = "@jupyterlab/apputils-extension:notification"
THEMES = "@jupyterlab/apputils-extension:themes"
SCOPE = "access:servers!server=u1/lab-1"


def overrides_with(installed: Path) -> dict[str, Any]:
    """Return the overrides as JupyterLab itself reads them."""
    found, error = _get_overrides(str(lab_settings(installed)))
    assert not error
    return found


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))


def test_jupyterlab_asks_no_questions_about_news(tmp_path: Path) -> None:
    assert overrides_with(tmp_path / "absent") == {
        NOTIFICATIONS: {"fetchNews": "false", "checkForUpdates": False},
        THEMES: {"adaptive-theme": True},
    }


@pytest.mark.parametrize("name", ["overrides.json", "overrides.json5", "overrides.d/facility.json"])
def test_an_administrators_overrides_come_first(tmp_path: Path, name: str) -> None:
    installed = tmp_path / "settings"
    (installed / name).parent.mkdir(parents=True)
    theirs = {NOTIFICATIONS: {"fetchNews": "true"}, THEMES: {"theme": "Dark"}}
    (installed / name).write_text(json.dumps(theirs))
    assert overrides_with(installed) == {
        NOTIFICATIONS: {"fetchNews": "true", "checkForUpdates": False},
        THEMES: {"adaptive-theme": True, "theme": "Dark"},
    }


def test_the_rest_of_the_settings_stays(tmp_path: Path) -> None:
    (tmp_path / "page_config.json").write_text('{"disabledExtensions": {"some": true}}')
    assert (lab_settings(tmp_path) / "page_config.json").read_text() == '{"disabledExtensions": {"some": true}}'


@pytest.mark.parametrize(
    ("user", "owner", "granted"),
    [
        pytest.param({"name": "u1", "scopes": [SCOPE]}, "u1", {SCOPE}, id="owner"),
        pytest.param({"name": "u1", "scopes": []}, "u1", set(), id="owner without the scope"),
        pytest.param({"name": "u2", "scopes": [SCOPE]}, "u1", set(), id="a share or a role of the hub"),
        pytest.param({"name": "", "scopes": [SCOPE]}, "", set(), id="nobody"),
    ],
)
def test_only_the_owner_may_use_it(
    user: dict[str, Any], owner: str, granted: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", owner)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "x")
    auth = OwnerIdentityProvider().hub_auth
    assert isinstance(auth, OwnerHubAuth)
    assert auth.check_scopes({SCOPE}, user) == granted
