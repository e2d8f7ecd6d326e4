"""A notebook server with an extension that is imported at the first request for it.

The extension is a stand-in with the name and the paths of jupyterlab_h5web; tests/images has the real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

TOKEN = "0123456789abcdef"
EXTENSION = """
from pathlib import Path

IMPORTS = Path(__file__).parent.parent / "imports"
with IMPORTS.open("a") as file:
    file.write(__name__ + "\\n")

def _jupyter_server_extension_points():
    return [{"module": __name__}]

def _load_jupyter_server_extension(server):
    from .handlers import setup
    setup(server.web_app)
"""
HANDLERS = """
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

class Meta(APIHandler):
    @web.authenticated
    def get(self):
        self.finish({"file": self.get_query_argument("file")})

def setup(app):
    app.add_handlers(".*$", [(url_path_join(app.settings["base_url"], "h5web/meta"), Meta)])
"""
SERVER = """
import daas_hub.session.lean_imports
from daas_hub.session.lazy_extensions import LazyExtensionsApp
LazyExtensionsApp.launch_instance()
"""


class UnixConnection(HTTPConnection):
    """HTTP over a socket file."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


class Server:
    """A notebook server with the extension, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "server.sock"
        self.imports = folder / "imports"
        package = folder / "jupyterlab_h5web"
        package.mkdir()
        (package / "__init__.py").write_text(EXTENSION)
        (package / "handlers.py").write_text(HANDLERS)
        enabled = folder / "config" / "jupyter_server_config.d" / "h5web.json"
        enabled.parent.mkdir(parents=True)
        enabled.write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"jupyterlab_h5web": True}}}))
        environment = os.environ | {
            "PYTHONPATH": str(folder),
            "HOME": str(folder),
            "JUPYTER_CONFIG_PATH": str(folder / "config"),
            "JUPYTER_PREFER_ENV_PATH": "0",
        }
        options = [
            f"--ServerApp.sock={self.socket}",
            f"--IdentityProvider.token={TOKEN}",
            "--allow-root",
            "--no-browser",
        ]
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, *options], env=environment, cwd=folder)

    def get(self, path: str, token: str = TOKEN) -> tuple[int, str, str]:
        """Return status, Location and body."""
        with contextlib.closing(UnixConnection(str(self.socket))) as connection:
            connection.request("GET", path, headers={"Host": "localhost", "Authorization": f"token {token}"})
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Location", ""), answer.read().decode()

    def wait_until_it_serves(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                assert self.get("/api")[0] == 200
                return
            except OSError:
                assert time.monotonic() < until
                assert self.process.poll() is None
                time.sleep(0.1)

    def imported(self) -> list[str]:
        return self.imports.read_text().split() if self.imports.exists() else []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    try:
        started.wait_until_it_serves()
        yield started
    finally:
        started.process.terminate()
        started.process.wait(30)


def test_loaded_once_at_the_first_request(server: Server) -> None:
    """Nothing at the start, nothing for a stranger; then the same address is answered by the extension itself."""
    assert server.imported() == []
    assert server.get("/h5web/meta?file=a.h5", token="wrong")[0] == 403
    assert server.imported() == []

    path = "/h5web/meta?file=a%20b.h5"

    async def together() -> list[tuple[int, str, str]]:
        return await asyncio.gather(*(asyncio.to_thread(server.get, path) for _ in range(4)))

    first = asyncio.run(together())
    assert {(status, where) for status, where, _ in first} <= {(307, path), (200, "")}
    assert (307, path) in {(status, where) for status, where, _ in first}
    assert server.imported() == ["jupyterlab_h5web"]
    status, _, body = server.get(path)
    assert (status, json.loads(body)) == (200, {"file": "a b.h5"})
    assert server.get("/h5web/absent")[0] == 404


def test_an_extension_that_cannot_be_imported(server: Server) -> None:
    """The answer is an error, not a redirect without end, and the server continues."""
    (server.imports.parent / "jupyterlab_h5web" / "handlers.py").write_text("import absent_library\n")
    for _ in range(2):
        status, where, body = server.get("/h5web/meta?file=a.h5")
        assert (status, where) == (500, "")
        assert "jupyterlab_h5web cannot be imported: No module named 'absent_library'" in json.loads(body)["message"]
    assert server.get("/api")[0] == 200
