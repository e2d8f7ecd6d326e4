"""The service that operators' commands call a running hub as: its name, its rights, and where its token is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from daas_hub.errors import ConfigurationError
from daas_hub.services.secret_file import read_secret

#: The service's name in the hub.
SERVICE = "daas-hub-operators"
#: What commands need, and nothing else: our own API (which asks for the same right as the page of administrators), and
#: stopping sessions. The token opens no session and reads no user's data.
SCOPES = ("admin-ui", "delete:servers")
#: The environment variable with the token, of the hub and of commands.
TOKEN = "DAAS_HUB_TOKEN"  # noqa: S105  # the name of the variable
_MIN_CHARS = 32


def allow_commands(c: Any, token_file: str = "", environment: Mapping[str, str] = os.environ) -> None:
    """Let operators' commands call the hub that is configured; without a token nothing is set.

    Args:
        token_file: the file that has the token; "" for the environment variable.

    Raises:
        ConfigurationError: the file cannot be used, or the token is too short.
    """
    token = read_secret("configure(c, operator_token_file)", token_file) if token_file else environment.get(TOKEN, "")
    if not token:
        return
    if len(token) < _MIN_CHARS:
        setting = token_file or TOKEN
        raise ConfigurationError(
            setting, "(not shown)", f"has fewer than {_MIN_CHARS} characters", remedy="Use `openssl rand -hex 32`."
        )
    # `display`: it has no page
    service = {"name": SERVICE, "api_token": token, "display": False}
    role = {"name": SERVICE, "scopes": list(SCOPES), "services": [SERVICE]}
    c.JupyterHub.services = [*_others(c.JupyterHub.get("services")), service]
    c.JupyterHub.load_roles = [*_others(c.JupyterHub.get("load_roles")), role]


def token_of(config: Any) -> str:
    """Return the token of a configuration's service; "" if it has none."""
    services = config.JupyterHub.get("services")
    found = [one for one in services if one.get("name") == SERVICE] if isinstance(services, list) else []
    return str(found[0].get("api_token", "")) if found else ""


def role_problems(config: Any) -> list[ConfigurationError]:
    """Return what a later line of the configuration took from the commands, for `daas-hub check-config`."""
    roles = config.JupyterHub.get("load_roles")
    has_role = isinstance(roles, list) and any(one.get("name") == SERVICE for one in roles)
    has_service = bool(token_of(config))
    if has_role == has_service:
        return []
    lost = "services" if has_role else "load_roles"
    return [
        ConfigurationError(
            f"JupyterHub.{lost}",
            "(not shown)",
            f"replaces the entry of {SERVICE}, which operators' commands need",
            remedy=f"Add to the list instead: c.JupyterHub.{lost}.append(...).",
        )
    ]


def _others(found: Any) -> list[Any]:
    """Return the entries that a configuration has already, without ours."""
    return [one for one in found if one.get("name") != SERVICE] if isinstance(found, list) else []
