"""The life of a notebook session: its kernels, its desktops and its pages are its use, and its end is the session's.

JupyterLab has no place for a word of the server, and reports neither keys nor the pointer. So its pages get one script
(`static/lab.js`), which reports both and shows what is announced: the session's end, and notices of the portal.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web

from daas_hub.session import clock
from daas_hub.session.activity import Activity, moment_of_touch, used_file
from daas_hub.session.end_notice import end_of
from daas_hub.session.hubclient import HubClient
from daas_hub.session.lifetime import Lifetime, announce_end, end_programs, lifetime_of
from daas_hub.session.settings import read_settings

SCRIPT = Path(__file__).with_name("static") / "lab.js"
#: Pages that get the script: JupyterLab's, and those of the notebook and of trees.
_PAGES = frozenset({"index.html", "tree.html", "notebooks.html", "edit.html", "consoles.html", "terminals.html"})
#: Seconds that the server has to shut its kernels down.
_SHUTDOWN_S = 10.0


class NotebookActivity(Activity):
    """The use of a notebook session: keys and pointer on its pages and desktops, and its kernels."""

    def __init__(self, kernels: Any, used: Path) -> None:
        """Take the server's kernel manager, and the file that its desktops touch."""
        super().__init__()
        self._kernels, self._used = kernels, used

    def look(self) -> None:
        """Look at kernels and desktops. A busy kernel counts as use, however it was started and even while it waits."""
        self.note_at(moment_of_touch(self._used))
        for name in self._kernels.list_kernel_ids():
            kernel = self._kernels.get_kernel(name)
            if getattr(kernel, "execution_state", "") == "busy":
                self.note()
            elif isinstance(last := getattr(kernel, "last_activity", None), datetime.datetime):
                unused = datetime.datetime.now(datetime.UTC) - last
                self.note_at(clock.now() - unused.total_seconds())


class LifetimeApp(ServerApp):
    """A notebook server that reports its use, and ends itself if the hub does not."""

    def load_server_extensions(self) -> None:
        """Load them, and begin."""
        super().load_server_extensions()
        settings = read_settings()
        activity = NotebookActivity(self.kernel_manager, used_file())
        lifetime = lifetime_of(settings, HubClient(settings.api_url), activity)
        base_url = self.web_app.settings["base_url"]
        parts = {"activity": activity, "lifetime": lifetime}
        self.web_app.add_handlers(  # type: ignore[no-untyped-call]
            ".*$",
            [
                (url_path_join(base_url, "daas/lab.js"), _ScriptHandler, {}),
                (url_path_join(base_url, "daas/use"), _UseHandler, parts),
                (url_path_join(base_url, "daas/end"), _EndHandler, parts),
            ],
        )
        for name, environment in self.web_app.settings.items():
            if name.endswith("_jinja2_env") and isinstance(environment, Environment) and environment.loader:
                environment.loader = ScriptLoader(environment.loader, url_path_join(base_url, "daas/lab.js"))
        self.io_loop.add_callback(self._live, lifetime)

    async def _live(self, lifetime: Lifetime) -> None:
        announce_end(await lifetime.run())
        # kernels may wait for what hangs
        threading.Thread(target=_end_soon, name="end", daemon=True).start()
        self.stop(from_signal=True)


def _end_soon() -> None:
    threading.Event().wait(_SHUTDOWN_S)
    end_programs()
    os._exit(0)


class ScriptLoader(BaseLoader):
    """Loads templates as another loader does, with the script in those that are pages."""

    def __init__(self, stock: BaseLoader, address: str) -> None:
        self._stock, self._address = stock, address

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return a template's source."""
        source, path, is_current = self._stock.get_source(environment, template)
        if template in _PAGES:
            source = source.replace("</head>", f'<script defer src="{self._address}"></script></head>', 1)
        return source, path, is_current

    def list_templates(self) -> list[str]:
        """Return the names of all templates."""
        return self._stock.list_templates()


class _ScriptHandler(JupyterHandler):
    """The script."""

    @web.authenticated
    async def get(self) -> None:
        """Return it."""
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.finish(await asyncio.to_thread(SCRIPT.read_bytes))


class _LifetimeHandler(JupyterHandler):
    def initialize(self, activity: Activity, lifetime: Lifetime) -> None:
        self.activity, self.lifetime = activity, lifetime


class _UseHandler(_LifetimeHandler):
    """A key, or the pointer, on one of the session's pages."""

    @web.authenticated
    async def post(self) -> None:
        """Note it."""
        self.activity.note()
        self.set_status(204)


class _EndHandler(_LifetimeHandler):
    """The announcement of the session's end, and the notices of the portal."""

    @web.authenticated
    async def get(self) -> None:
        """Return both."""
        self.lifetime.note_page()
        self._finish()

    @web.authenticated
    async def post(self) -> None:
        """Keep an idle session, or ask the hub to extend its time limit."""
        try:
            await self.lifetime.keep_or_extend()
        except OSError:
            raise web.HTTPError(503) from None
        self._finish()

    def _finish(self) -> None:
        self.finish({"end": end_of(self.lifetime), "notices": self.lifetime.notices()})
