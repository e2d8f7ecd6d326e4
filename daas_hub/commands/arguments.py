"""Arguments that several commands have: the configuration, and claims of a login."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from daas_hub.errors import ConfigurationError

#: Where the configuration of an installation is (docs/how-to/set-up-a-facility.md).
DEFAULT_CONFIG = Path("/etc/daas-hub/jupyterhub_config.py")

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="DAAS_HUB_CONFIG",
    show_envvar=True,
    help=f"Configuration of the hub, on its own machine; default: {DEFAULT_CONFIG}.",
)


def config_file(config: Path | None, remedy: str = "Give its path: --config, or DAAS_HUB_CONFIG.") -> Path:
    """Return the configuration that a command was given, or the default one.

    Raises:
        ConfigurationError: there is no such file.
    """
    file = config or DEFAULT_CONFIG
    if not file.is_file():
        raise ConfigurationError("--config", str(file), "there is no such file", remedy=remedy)
    return file


def parse_claim(option: str) -> tuple[str, Any]:
    """Return a claim of the form NAME=VALUE; a VALUE that is no JSON is a string.

    Raises:
        ConfigurationError: it has another form.
    """
    name, equals, value = option.partition("=")
    if not equals or not name:
        raise ConfigurationError(
            "--claim", option, "is not NAME=VALUE", remedy="Example: --claim preferred_username=anna."
        )
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
