"""Calls a running hub: JupyterHub's REST API, and ours (`daas_hub.portal.operations`), with an operator's token."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from daas_hub.commands.arguments import CONFIG, config_file
from daas_hub.errors import ConfigurationError, DaasError, ErrorKind, SourceUnavailable
from daas_hub.operators import TOKEN, token_of
from daas_hub.services.http import Reply, Service
from daas_hub.services.secret_file import read_secret
from daas_hub.services.urls import require_url, tls_context

#: What a server listens on to be reached at any address, and where it is reached on its own machine.
_ANY_HOST = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}  # noqa: S104
_TIMEOUT_S = 30.0

_REMEDIES = {
    ErrorKind.NO_CONNECTION: "Is it running? See `systemctl status daas-hub` and `journalctl -u daas-hub`.",
    ErrorKind.DNS: "Check the host name of the address.",
    ErrorKind.TLS_CERTIFICATE: "Give the file of the authority that issued it: --ca-file, or DAAS_HUB_CA_FILE.",
    ErrorKind.TIMEOUT: "The hub is busy, or something on the way drops packets: see its log.",
    ErrorKind.WEB_PROXY: "Add the host of the hub to NO_PROXY.",
    ErrorKind.REDIRECT: "Give the address of the hub itself, with its prefix: https://portal.facility.org/hub.",
    ErrorKind.REDIRECT_SAME_HOST: "Give the address of the hub itself: https://portal.facility.org/hub.",
    ErrorKind.HTML: "Give the address of the hub itself: https://portal.facility.org/hub.",
}


class HubProblem(DaasError):
    """A running hub cannot be asked, or does not do what it was asked."""

    reason = "hub"


@dataclass(frozen=True)
class RunningHub:
    """A hub and how it is asked.

    Attributes:
        url: the hub's address with its prefix, without a slash at its end: http://127.0.0.1:8081/hub.
    """

    url: str
    token: str = field(repr=False)
    ca_file: str = ""

    def get(self, path: str) -> dict[str, Any]:
        """Return what the hub's API has at a path. Raises as `ask`."""
        found = self.ask("GET", path)
        if not isinstance(found, dict):
            raise HubProblem(f"The hub at {self.url} returned an unexpected answer: {path}.")
        return found

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """Call the hub's API, and return the document of its answer; None for an answer without one.

        Raises:
            HubProblem: no answer, or a refusal, with the hub's own words.
        """
        return self.tried(method, path, document=document)[1]

    def tried(self, method: str, path: str, refusals: tuple[int, ...] = (), *, document: Any = None) -> tuple[int, Any]:
        """Call the hub's API, and return the status with the document; `refusals` are answers like any other.

        Raises:
            HubProblem: see `ask`.
        """
        reply = asyncio.run(self._asked(method, path, document))
        if reply.status < 300 or (reply.status in refusals and reply.object is not None):
            return reply.status, reply.document
        words = str((reply.object or {}).get("message", "")) or f"status {reply.status}"
        if reply.status in (401, 403):
            raise HubProblem(
                f"The hub at {self.url} does not accept the token for this: {words}",
                remedy=f"Use the token that the hub was started with ({TOKEN}, or operator_token_file of configure).",
                kind=ErrorKind.CREDENTIALS_REFUSED,
            )
        if reply.status == 404 and reply.object is None:
            raise HubProblem(
                f"There is no hub at {self.url}, or one without daas_hub.",
                remedy="Give its address with the prefix: https://portal.facility.org/hub.",
                kind=ErrorKind.NOT_FOUND,
            )
        raise HubProblem(f"The hub refused: {words}", kind=ErrorKind.REQUEST_REJECTED)

    async def _asked(self, method: str, path: str, document: Any) -> Reply:
        service = Service("hub", "The hub", self.url, timeout_s=_TIMEOUT_S, tls=tls_context("--ca-file", self.ca_file))
        more = {} if document is None else {"document": document}
        try:
            async with service.client() as client:
                call: Callable[..., Any] = {"GET": client.get, "POST": client.post, "DELETE": client.delete}[method]
                headers = {"Authorization": f"token {self.token}"}
                reply: Reply = await call(f"{self.url}/api/{path}", path, headers=headers, require_json=False, **more)
                if reply.status < 300 and reply.content == "HTML":
                    client.fail("a page instead of the API", ErrorKind.HTML)
                return reply
        except SourceUnavailable as problem:
            came = problem.detail.rpartition(", got ")[2]
            raise HubProblem(
                f"The hub at {self.url} cannot be asked: {came}.",
                remedy=_REMEDIES.get(problem.kind, "See the hub's log."),
                kind=problem.kind,
            ) from None


def find_hub(*, config: Path | None, url: str, token_file: str, ca_file: str) -> RunningHub:
    """Return the hub that the options and the environment of a command name.

    Raises:
        ConfigurationError: address or token are missing, or cannot be used.
    """
    token = read_secret("--token-file", token_file) if token_file else os.environ.get(TOKEN, "")
    if url:
        url = require_url("--url", url).rstrip("/")
        if not token:
            raise _no_token("Give the file that has it: --token-file, or set the variable.")
        return RunningHub(url, token, ca_file)
    file = config_file(
        config, "Give the hub's configuration (--config, DAAS_HUB_CONFIG), or its address (--url, DAAS_HUB_URL)."
    )
    loaded = load_config(file)
    # a configuration may read the environment's file after configure(c)
    token = token or token_of(loaded) or os.environ.get(TOKEN, "")
    if not token:
        raise _no_token("Make one with `openssl rand -hex 32`, set it for the hub, and restart it.")
    return RunningHub(address_of_hub(loaded), token, ca_file)


def address_of_hub(config: Any) -> str:
    """Return where a hub with this configuration listens, as its own machine reaches it.

    Raises:
        ConfigurationError: it listens on a socket, or with certificates of its own.
    """
    from jupyterhub.app import JupyterHub

    app = JupyterHub(config=config)
    url = app.hub_bind_url or f"http://{app.hub_ip or '127.0.0.1'}:{app.hub_port}"
    parts = urlsplit(url)
    if app.internal_ssl or parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            "JupyterHub.internal_ssl" if app.internal_ssl else "JupyterHub.hub_bind_url",
            app.internal_ssl or url,
            "commands cannot connect to it",
            remedy="Give the portal's address: --url https://portal.facility.org/hub.",
        )
    host = _ANY_HOST.get(parts.hostname or "", parts.hostname or "")
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{parts.scheme}://{host}:{parts.port or app.hub_port}{app.hub_prefix.rstrip('/')}"


def load_config(file: Path) -> Any:
    """Return a configuration; the file is a program, and its errors are not ours.

    Raises:
        ConfigurationError: it cannot be read.
    """
    from daas_hub.commands.show import read_config

    try:
        return read_config(file)
    except DaasError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            "--config", str(file), f"cannot be read: {type(error).__name__}", remedy=f"daas-hub check-config {file}"
        ) from None


def _no_token(remedy: str) -> ConfigurationError:
    return ConfigurationError(TOKEN, "", "is not set: the hub asks for a token", remedy=remedy)


def hub_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which hub is called."""
    options = (
        CONFIG,
        click.option(
            "--url", default="", envvar="DAAS_HUB_URL", show_envvar=True,
            help="Address of the hub on another machine, such as https://portal.facility.org/hub.",
        ),
        click.option(
            "--token-file", default="", envvar="DAAS_HUB_TOKEN_FILE", show_envvar=True,
            help=f"File with the token, mode 600; default: the variable {TOKEN}, or what the configuration has.",
        ),
        click.option(
            "--ca-file", default="", envvar="DAAS_HUB_CA_FILE", show_envvar=True,
            help="File of the authority that issued the certificate of --url, if the machine does not know it.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command
