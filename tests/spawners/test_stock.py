"""Inherited settings of the spawners: each is declared, what does not work is refused, before and at a start."""

from __future__ import annotations

import pytest
from jupyterhub.auth import PAMAuthenticator
from traitlets.config import Config

from daas_hub.errors import ConfigurationError
from daas_hub.facility import Facility
from daas_hub.spawners.sandbox.spawner import SandboxSpawner
from daas_hub.spawners.stock import OVERRIDABLE, require_working
from daas_hub.stock_settings import inherited_settings

#: What a plain hub needs, with an authenticator that knows nothing of facilities.
PLAIN = {
    "JupyterHub": {"authenticator_class": "dummy", "spawner_class": "sandbox", "allow_named_servers": True},
    "Facility": {"identity_of": lambda user, auth_state: None},
}


def problems(**sections: dict[str, object]) -> list[str]:
    """Return the settings that the sandbox refuses, beside those of the machine."""
    config = Config(PLAIN)
    config.merge(Config(sections))
    return [
        problem.setting
        for problem in SandboxSpawner.startup_problems(config)
        if isinstance(problem, ConfigurationError) and problem.setting != "SandboxSpawner.prefix"
    ]


def test_every_inherited_setting_is_declared() -> None:
    """A release of JupyterHub that adds a setting makes this fail: honour it, or say what to set instead."""
    assert SandboxSpawner.stock_settings.mismatches(SandboxSpawner) == []
    assert len(inherited_settings(SandboxSpawner)) > 30


def test_what_groups_may_override_exists() -> None:
    assert set(SandboxSpawner.class_traits(config=True)) >= OVERRIDABLE
    assert OVERRIDABLE.isdisjoint(SandboxSpawner.stock_settings.refused)


@pytest.mark.parametrize("name", sorted(SandboxSpawner.stock_settings.refused))
@pytest.mark.parametrize("section", ["Spawner", "SandboxSpawner"])
def test_what_does_not_work_is_refused(section: str, name: str) -> None:
    assert problems(**{section: {name: "anything"}}) == [f"{section}.{name}"]


@pytest.mark.parametrize("name", sorted(SandboxSpawner.stock_settings.honoured))
def test_what_works_is_accepted(name: str) -> None:
    assert problems(Spawner={name: SandboxSpawner().trait_defaults(name)}) == []


@pytest.mark.parametrize(
    ("sections", "refused"),
    [
        pytest.param({"Spawner": {"environment": {"LICENCE": "1"}}}, [], id="environment"),
        pytest.param(
            {"Spawner": {"environment": {"HOME": "/x"}}}, ["Spawner.environment"], id="environment-of-the-session"
        ),
        pytest.param(
            {"SandboxSpawner": {"environment": {"JUPYTERHUB_API_URL": "x"}}},
            ["SandboxSpawner.environment"],
            id="environment-of-the-hub",
        ),
        pytest.param({"SandboxSpawner": {"environment": {"PATH": "/x"}}}, ["SandboxSpawner.environment"], id="path"),
        pytest.param(
            {"Facility": {"environment": {"DAAS_SESSION": "x"}}}, ["Facility.environment"], id="facility-environment"
        ),
        pytest.param(
            {"Spawner": {"env_keep": ["JUPYTERHUB_SINGLEUSER_APP", "LANGUAGE"]}}, [], id="env_keep-with-the-default"
        ),
        pytest.param(
            {"Spawner": {"env_keep": ["JUPYTERHUB_CRYPT_KEY"]}}, ["Spawner.env_keep"], id="env_keep-of-the-hub"
        ),
        pytest.param(
            {"Spawner": {"group_overrides": {"a": {"groups": ["g"], "spawner_override": {"environment": {"A": "1"}}}}}},
            [],
            id="override-that-works",
        ),
        pytest.param(
            {"Spawner": {"group_overrides": {"a": {"groups": ["g"], "spawner_override": {"mem_limit": "1G"}}}}},
            ["Spawner.group_overrides"],
            id="override-that-does-not",
        ),
        pytest.param(
            {"Spawner": {"group_overrides": {"a": {"groups": ["g"], "spawner_override": {"plan": None}}}}},
            ["Spawner.group_overrides"],
            id="override-of-the-plan",
        ),
        pytest.param(
            {"JupyterHub": {"allow_named_servers": False}}, ["JupyterHub.allow_named_servers"], id="no-named-servers"
        ),
        pytest.param({"JupyterHub": {"internal_ssl": True}}, ["JupyterHub.internal_ssl"], id="internal-ssl"),
        pytest.param({"Facility": {"identity_of": None}}, ["Facility.identity_of"], id="nobody-says-who-it-is"),
        pytest.param(
            {"Facility": {"identity_of": None}, "JupyterHub": {"authenticator_class": "umbrella"}},
            [],
            id="umbrella-says-who-it-is",
        ),
        pytest.param(
            {"JupyterHub": {"authenticator_class": "umbrella"}, "Spawner": {"options_form": "<input>"}},
            ["Spawner.options_form"],
            id="form-that-the-portal-never-shows",
        ),
    ],
)
def test_settings_that_depend_on_others(sections: dict[str, dict[str, object]], refused: list[str]) -> None:
    assert problems(**sections) == refused


@pytest.mark.parametrize(
    "name", ["dummy", "pam", "generic-oauth", "jupyterhub.auth.PAMAuthenticator", PAMAuthenticator]
)
def test_other_authenticators_need_the_function(name: object) -> None:
    """Item 5b: whatever the authenticator, and however the configuration names it."""
    hub = {"JupyterHub": {"authenticator_class": name}}
    assert problems(**hub) == []
    assert problems(**hub, Facility={"identity_of": None}) == ["Facility.identity_of"]


def test_the_hubs_default_authenticator_needs_the_function() -> None:
    config = Config({"JupyterHub": {"allow_named_servers": True}})
    (problem,) = SandboxSpawner.startup_problems(config)
    assert "is required with PAMAuthenticator" in problem.message


@pytest.fixture
def spawner() -> SandboxSpawner:
    """A spawner of a configuration in order."""
    return SandboxSpawner(config=Config(PLAIN))


@pytest.mark.parametrize("name", ["mem_limit", "cmd", "args", "default_url", "apply_user_options", "notebook_dir"])
def test_what_is_set_in_a_running_hub_is_refused_at_a_start(spawner: SandboxSpawner, name: str) -> None:
    """A hook, a function for `group_overrides` or a subclass may set what the configuration did not."""
    require_working(spawner, spawner.stock_settings, spawner.own_variables)
    setattr(spawner, name, {"args": ["x"], "mem_limit": 1, "apply_user_options": dict}.get(name, "x"))
    with pytest.raises(ConfigurationError, match=f"SandboxSpawner.{name}"):
        require_working(spawner, spawner.stock_settings, spawner.own_variables)


def test_a_value_that_is_the_default_is_none(spawner: SandboxSpawner) -> None:
    spawner.debug, spawner.args = False, []
    require_working(spawner, spawner.stock_settings, spawner.own_variables)


def test_an_environment_set_in_a_running_hub_is_checked(spawner: SandboxSpawner) -> None:
    spawner.environment = {"USER": "somebody"}
    with pytest.raises(ConfigurationError, match="every session sets itself"):
        require_working(spawner, spawner.stock_settings, spawner.own_variables)


def test_a_setting_that_nobody_declared_is_refused(spawner: SandboxSpawner) -> None:
    """A newer JupyterHub: its new setting must not be ignored silently."""
    known = spawner.stock_settings
    older = type(known)({name: where for name, where in known.honoured.items() if name != "poll_jitter"}, known.refused)
    spawner.poll_jitter = 0.5
    with pytest.raises(ConfigurationError, match="poll_jitter"):
        require_working(spawner, older, spawner.own_variables)


def test_the_facility_has_the_function() -> None:
    assert Facility.class_traits(config=True)["identity_of"].allow_none
