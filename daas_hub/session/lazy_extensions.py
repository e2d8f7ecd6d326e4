"""Server extensions whose modules are imported at the first request for them, and not at the start of the server.

`jupyterlab_h5web` imports h5py, numpy and IPython, half a second of a start, and most sessions never open it.
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web


@dataclass(frozen=True)
class LazyExtension:
    """A server extension that can wait.

    Attributes:
        name: its package, as a server's configuration enables it.
        module: what its handlers are in, with everything they need.
        path: the path below the server's own that it answers.
    """

    name: str
    module: str
    path: str


EXTENSIONS = (LazyExtension("jupyterlab_h5web", "jupyterlab_h5web.handlers", "h5web"),)


class LazyExtensionsApp(ServerApp):
    """A notebook server that loads these extensions, where they are enabled, at the first request."""

    def find_server_extensions(self) -> None:
        """Find what is enabled, and keep the lazy ones from being imported with the others."""
        super().find_server_extensions()
        self._lazy = [one for one in EXTENSIONS if self.jpserver_extensions.get(one.name)]
        later = {one.name: False for one in self._lazy}
        self.config.ServerApp.jpserver_extensions.update(later)
        self.jpserver_extensions.update(later)

    def load_server_extensions(self) -> None:
        """Load the others, and answer for the lazy ones."""
        super().load_server_extensions()
        for one in self._lazy:
            _Loader(self, one)


class _Loader:
    """Answers the paths of an extension until it is loaded."""

    def __init__(self, server: ServerApp, extension: LazyExtension) -> None:
        self._server, self._extension = server, extension
        self._loading: asyncio.Task[None] | None = None
        pattern = url_path_join(server.web_app.settings["base_url"], extension.path, ".*")
        server.web_app.add_handlers(".*$", [(pattern, _FirstRequest, {"loader": self})])  # type: ignore[no-untyped-call]
        # tornado adds before its last rule, which is for paths that nobody answers
        self._rule = server.web_app.default_router.rules[-2]

    async def load(self) -> None:
        """Load the extension, once however many ask.

        Raises:
            web.HTTPError: it cannot be loaded; the log says why.
        """
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        name, manager = self._extension.name, self._server.extension_manager
        try:
            await asyncio.to_thread(importlib.import_module, self._extension.module)
        except ImportError as problem:
            raise web.HTTPError(500, f"{name} cannot be imported: {problem}") from problem
        if not manager.add_extension(name, enabled=True):  # type: ignore[no-untyped-call]
            raise web.HTTPError(500, f"{name} is no server extension")
        manager.link_extension(name)  # type: ignore[no-untyped-call]
        manager.load_extension(name)  # type: ignore[no-untyped-call]
        self._server.web_app.default_router.rules.remove(self._rule)


class _FirstRequest(APIHandler):
    """Loads the extension, and sends the browser to the same address again, which the extension then answers."""

    def initialize(self, loader: _Loader) -> None:
        self._loader = loader

    @web.authenticated
    async def get(self) -> Any:
        """GET any of its paths."""
        await self._loader.load()
        self.redirect(self.request.uri or "", status=307)
