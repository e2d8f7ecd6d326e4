"""`daas-hub proxy`: run the proxy as a service of its own, so that a restart of the hub cuts off nobody.

It reads the hub's own configuration: the two cannot disagree about ports and paths.
"""

from __future__ import annotations

import os
from pathlib import Path

from jupyterhub.app import JupyterHub
from jupyterhub.proxy import ConfigurableHTTPProxy
from jupyterhub.utils import url_path_join
from traitlets.config import Config

from daas_hub.commands.show import read_config
from daas_hub.configuration import proxy_command
from daas_hub.errors import ConfigurationError
from daas_hub.proxy_guard import guard_environment

TOKEN = "CONFIGPROXY_AUTH_TOKEN"  # noqa: S105  # the name of the variable


def proxy_argv(config: Config) -> list[str]:
    """Return the command of the proxy that this configuration's hub expects.

    Raises:
        ConfigurationError: the hub would start a proxy itself, or none is installed.
    """
    if config.ConfigurableHTTPProxy.get("should_start", True):
        raise ConfigurationError(
            "ConfigurableHTTPProxy.should_start",
            True,
            "the hub starts a proxy itself",
            remedy="Set c.ConfigurableHTTPProxy.should_start = False, or do not run this service.",
        )
    command = list(config.ConfigurableHTTPProxy.get("command", [])) or proxy_command()
    if not command:
        raise ConfigurationError(
            "ConfigurableHTTPProxy.command", [], "no proxy is installed with this program", remedy="make install"
        )
    app = JupyterHub(config=config)
    hub = app.hub_bind_url or f"http://{app.hub_ip or '127.0.0.1'}:{app.hub_port}"
    public, api = app.bind_url, config.ConfigurableHTTPProxy.get("api_url", "http://127.0.0.1:8001")
    argv = [*command, *_listening("", public), *_listening("api-", api)]
    argv += ["--error-target", url_path_join(hub, app.base_url, "hub", "error")]
    argv += ["--log-level", config.ConfigurableHTTPProxy.get("log_level", "warn")]
    if app.subdomain_host:
        argv.append("--host-routing")
    for option, value in (("--ssl-key", app.ssl_key), ("--ssl-cert", app.ssl_cert)):
        argv += [option, value] if value else []
    return argv


def run_proxy(file: Path) -> None:
    """Become the proxy of this configuration; it does not return.

    Raises:
        DaasError: it cannot be started; the text says why.
        OSError: the program cannot be run.
    """
    if not file.is_file():
        raise ConfigurationError("file", str(file), "there is no such file", remedy="Give the path of your file.")
    config = read_config(file)
    argv = proxy_argv(config)
    token = config.ConfigurableHTTPProxy.get("auth_token", "") or os.environ.get(TOKEN, "")
    if not token:
        raise ConfigurationError(
            TOKEN, "", "is not set: hub and proxy need the same", remedy="`openssl rand -hex 32`, in the environment."
        )
    # as the hub starts it: files of a socket, if there are any, are for its own user and group
    os.umask(ConfigurableHTTPProxy.command_umask.default_value)
    os.execve(argv[0], argv, os.environ | proxy_guard(config) | {TOKEN: token})  # noqa: S606  # the administrator's own command


def proxy_guard(config: Config) -> dict[str, str]:
    """Return what the proxy's guard is configured with."""
    # the path may be in base_url or in bind_url, which is for the hub to say
    prefix = JupyterHub(config=config).hub_prefix
    return guard_environment(config.UmbrellaAuthenticator.get("trusted_proxy") or {}, prefix)


def _listening(kind: str, url: str) -> list[str]:
    """Return the options for an address to listen on."""
    from jupyterhub.objects import Server

    server = Server.from_url(url)
    if server._unix_socket:
        from urllib.parse import unquote

        return [f"--{kind}socket", unquote(server.connect_addr)]
    return [f"--{kind}ip", server.ip, f"--{kind}port", str(server.port)]
