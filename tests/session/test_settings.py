"""What a session was told by its spawner: read once, and a process nobody told anything does not start."""

from __future__ import annotations

import json

import pytest

from daas_hub.session.settings import DesktopApplication, read_settings

DOCUMENT = {
    "title": "PyMca, MA-4242 visit 2",
    "application": "pymca",
    "applications": [
        {"name": "pymca", "title": "PyMca", "command": ["pymca", "-f"], "environment": {"A": "1"}, "maximised": False},
        {"name": "terminal", "title": "Terminal", "command": ["lxterminal"]},
    ],
}
ENV = {
    "DAAS_SESSION": json.dumps(DOCUMENT),
    "JUPYTERHUB_BASE_URL": "/portal/",
    "JUPYTERHUB_SERVICE_PREFIX": "/portal/user/u1/pymca-1/",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=u1/pymca-1"]',
    "JUPYTERHUB_PUBLIC_URL": "https://portal.example.org/",
    "DAAS_LISTEN_FD": "7",
}


def test_everything() -> None:
    settings = read_settings(ENV)
    assert (settings.prefix, settings.hub_prefix) == ("/portal/user/u1/pymca-1/", "/portal/hub/")
    assert settings.access_scopes == {"access:servers!server=u1/pymca-1"}
    assert (settings.listen_fd, settings.public_https, settings.start_page) == (7, True, "/lab")
    assert settings.own_application == DesktopApplication("pymca", "PyMca", ("pymca", "-f"), {"A": "1"}, False)
    assert settings.named("terminal") == DesktopApplication("terminal", "Terminal", ("lxterminal",))
    assert settings.named("matlab") is None


def test_without_scopes_nobody_may_use_it() -> None:
    settings = read_settings({"DAAS_SESSION": ENV["DAAS_SESSION"]})
    assert settings.access_scopes == frozenset()
    assert settings.listen_fd is None


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"DAAS_SESSION": ""}, id="empty"),
        pytest.param({"DAAS_SESSION": "{}"}, id="an empty document"),
        pytest.param(ENV | {"DAAS_LISTEN_FD": "x"}, id="a descriptor that is none"),
        pytest.param(ENV | {"JUPYTERHUB_OAUTH_ACCESS_SCOPES": "access"}, id="scopes that are no JSON"),
    ],
)
def test_a_process_without_settings_does_not_start(env: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        read_settings(env)
