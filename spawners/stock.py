"""Which settings of JupyterHub's own Spawner work with sessions of a proposal, and what to set instead of the others.

Every backend inherits these; one that inherits more adds its own (`stock_settings` of each spawner class).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyterhub.auth import Authenticator, PAMAuthenticator
from jupyterhub.traitlets import EntryPointType
from traitlets import HasTraits, TraitError
from traitlets.config import Config, Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.stock_settings import StockSettings, inherited_settings, is_set, problems_with

_BY_SIZE = "Remove the line; limits come from an application's size (`sizes.yaml`, and `sizes` of the application)."
_BY_APPLICATION = "Remove the line; set `command` and `kind` in the application's file."
_BY_SOCKET = "Remove the line; a session listens on a socket file, which the proxy connects to."

SPAWNER_SETTINGS = StockSettings(
    honoured={
        "auth_state_hook": "JupyterHub",
        "consecutive_failure_limit": "JupyterHub",
        "disable_user_config": "JupyterHub's notebook server, in sessions that are one",
        "env_keep": "daas_hub.spawners.recorded",
        "environment": "daas_hub.spawners.recorded",
        "group_overrides": "JupyterHub; the settings it may override: OVERRIDABLE",
        "http_timeout": "JupyterHub",
        "oauth_client_allowed_scopes": "JupyterHub",
        "options_form": "JupyterHub, where the portal does not replace its spawn page",
        "options_from_form": "JupyterHub, where the portal does not replace its spawn page",
        "poll_interval": "JupyterHub",
        "poll_jitter": "JupyterHub",
        "post_stop_hook": "JupyterHub, after what the session had on the machine was removed",
        "pre_spawn_hook": "JupyterHub, after the launch was authorised",
        "progress_ready_hook": "JupyterHub",
        "server_token_scopes": "JupyterHub",
        "start_timeout": "JupyterHub",
    },
    refused={
        "apply_user_options": "Remove the line; starts are authorised there. Use `pre_spawn_hook`.",
        "args": _BY_APPLICATION,
        "cmd": _BY_APPLICATION,
        "cpu_guarantee": _BY_SIZE,
        "cpu_limit": _BY_SIZE,
        "debug": "Remove the line; a session's last output is in the hub's log.",
        "default_url": "Remove the line; set `start_page` in the application's file.",
        "hub_connect_url": "Remove the line; a session reaches the hub over a socket file.",
        "ip": _BY_SOCKET,
        "mem_guarantee": _BY_SIZE,
        "mem_limit": _BY_SIZE,
        "notebook_dir": "Remove the line; a session starts in the account's home, and MountRules says what is in it.",
        "oauth_roles": "Use `oauth_client_allowed_scopes`; JupyterHub has deprecated `oauth_roles`.",
        "port": _BY_SOCKET,
        "ssl_alt_names": _BY_SOCKET,
        "ssl_alt_names_include_local": _BY_SOCKET,
    },
)

#: What `group_overrides` may override: the hub reads other settings before it applies them, or they are one for all.
OVERRIDABLE = frozenset(
    {
        "consecutive_failure_limit", "disable_user_config", "env_keep", "environment", "http_timeout", "poll_interval",
        "poll_jitter", "post_stop_hook", "pre_spawn_hook", "progress_ready_hook", "read_only", "start_timeout",
    }
)  # fmt: skip

#: Variables that every session sets itself; an administrator's value would be overruled.
OWN_VARIABLES = frozenset({"HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR", "XDG_RUNTIME_DIR"})
_OWN_PREFIXES = ("JUPYTERHUB_", "JPY_", "DAAS_")
#: JupyterHub keeps this one by default.
_KEPT_BY_DEFAULT = "JUPYTERHUB_SINGLEUSER_APP"


def setting_problems(
    cls: type[Configurable], config: Config, declared: StockSettings, own_variables: frozenset[str]
) -> list[ConfigurationError]:
    """Return the settings of a configuration that do not work with this spawner class; reads only."""
    problems = [*problems_with(cls, config, declared), *_hub_problems(config, declared), *_login_problems(cls, config)]
    problems += _place_problems(cls, config)
    for section in [base.__name__ for base in cls.__mro__ if issubclass(base, Configurable)]:
        settings = config.get(section, {})
        for name in ("environment", "env_keep"):
            problems += environment_problems(f"{section}.{name}", settings.get(name), own_variables)
        problems += _override_problems(f"{section}.group_overrides", settings.get("group_overrides"))
    facility = config.get("Facility", {})
    problems += environment_problems("Facility.environment", facility.get("environment"), own_variables)
    return problems


def require_working(spawner: Any, declared: StockSettings, own_variables: frozenset[str]) -> None:
    """Check what a spawner really has before it starts: code of the administrator may have set something meanwhile.

    Raises:
        ConfigurationError: a setting has a value and does not work.
    """
    cls = type(spawner)
    for name in inherited_settings(cls):
        if name in declared.honoured or not spawner.trait_has_value(name):
            continue
        value = getattr(spawner, name)
        if value != spawner.trait_defaults(name):
            # the value may be a secret
            remedy = declared.refused.get(name, "Remove what sets it, or use a release of daas-hub that supports it.")
            raise ConfigurationError(f"{cls.__name__}.{name}", "(set)", "does not apply to sessions", remedy=remedy)
    for name in ("environment", "env_keep"):
        for problem in environment_problems(f"{cls.__name__}.{name}", getattr(spawner, name), own_variables):
            raise problem


def environment_problems(setting: str, names: Any, own: frozenset[str]) -> Iterator[ConfigurationError]:
    """Yield an error for each of these variables that sessions set themselves."""
    for name in names if isinstance(names, Mapping | list | tuple | set) else ():
        if name in own or (str(name).startswith(_OWN_PREFIXES) and name != _KEPT_BY_DEFAULT):
            yield ConfigurationError(
                setting, name, "is a variable that every session sets itself", remedy="Remove it, or use another name."
            )


def _override_problems(setting: str, overrides: Any) -> Iterator[ConfigurationError]:
    """Yield an error for each setting that `group_overrides` overrides in vain (a function is called at a start)."""
    for key, override in overrides.items() if isinstance(overrides, Mapping) else ():
        changed = override.get("spawner_override") if isinstance(override, Mapping) else None
        for name in changed if isinstance(changed, Mapping) else ():
            if name not in OVERRIDABLE:
                yield ConfigurationError(
                    setting,
                    f"{key}: {name}",
                    "overrides a setting that cannot differ between groups here",
                    remedy=f"These can: {', '.join(sorted(OVERRIDABLE))}.",
                )


def _hub_problems(config: Config, declared: StockSettings) -> Iterator[ConfigurationError]:
    """Yield what the hub itself must have set for sessions to start."""
    hub = config.get("JupyterHub", {})
    if hub.get("allow_named_servers") is not True:
        yield ConfigurationError(
            "JupyterHub.allow_named_servers",
            False,
            "sessions are named servers",
            remedy="Set c.JupyterHub.allow_named_servers = True, as configure(c) does.",
        )
    if hub.get("internal_ssl"):
        yield ConfigurationError(
            "JupyterHub.internal_ssl",
            True,
            "does not apply to sessions",
            # how they are reached is the backend's
            remedy=declared.refused["ssl_alt_names"],
        )


def _login_problems(cls: type[Configurable], config: Config) -> Iterator[ConfigurationError]:
    """Yield what is missing between the authenticator and our spawners."""
    authenticator = _authenticator_class(config)
    if authenticator is None:
        return
    if getattr(authenticator, "provides_identity", False):
        for name in ("options_form", "options_from_form"):
            if is_set(cls, config, name):
                yield ConfigurationError(
                    f"Spawner.{name}",
                    "(set)",
                    f"does not apply with {authenticator.__name__}: its portal has its own launch page",
                    remedy="Remove the line; what can be launched follows from the catalogue.",
                )
    elif config.get("Facility", {}).get("identity_of") is None:
        yield ConfigurationError(
            "Facility.identity_of",
            None,
            f"is required with {authenticator.__name__}, which does not say who a person is at the facility",
            remedy="Set it to a function of (user, auth_state) that returns a daas_hub.accounts.Identity; the page "
            "'Use our spawners with another authenticator' has examples.",
        )


def _place_problems(cls: type[Configurable], config: Config) -> Iterator[ConfigurationError]:
    """Yield an error for places that the chosen spawner does not have."""
    if config.get("Places", {}).get("places") and not hasattr(cls, "is_places_spawner"):
        yield ConfigurationError(
            "Places.places",
            "(set)",
            f"does not apply with {cls.__name__}, which is one backend",
            remedy='Set c.JupyterHub.spawner_class = "places"; the spawner of each place is in Places.places.',
        )


class _Hub(HasTraits):
    """Takes the class of the authenticator as JupyterHub does, without being a hub."""

    authenticator_class = EntryPointType(
        klass=Authenticator, default_value=PAMAuthenticator, entry_point_group="jupyterhub.authenticators"
    )


def _authenticator_class(config: Config) -> type[Authenticator] | None:
    """Return the authenticator that this configuration chooses; None for one that is not installed."""
    chosen = config.get("JupyterHub", {}).get("authenticator_class")
    try:
        found: type[Authenticator] = _Hub(
            **({} if chosen is None else {"authenticator_class": chosen})
        ).authenticator_class
    except TraitError:
        return None  # the hub and check-config say so themselves
    return found
