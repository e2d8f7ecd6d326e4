"""One desktop: X server, window manager and application, started together at once and ended together.

Nothing listens on the network: the screen is a socket file in a private folder, and X itself takes only who shows the
cookie of this desktop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from daas_hub.errors import SessionFailed
from daas_hub.session.openbox import write_openbox_files
from daas_hub.session.settings import DesktopApplication

START_GEOMETRY = "1280x800"
BACKGROUND = "#24384b"
X_TIMEOUT_S = 20.0
KEPT_OUTPUT = 4000


class Desktop:
    """A screen with an application on it."""

    def __init__(
        self, application: DesktopApplication, menu: Sequence[DesktopApplication], folder: Path, title: str
    ) -> None:
        self.application = application
        self.screen_socket = folder / "screen"
        self._menu = tuple(menu)
        self._folder = folder
        self._title = title
        self._display_name = ""
        self._xauthority = folder / "Xauthority"
        self._helpers: list[asyncio.subprocess.Process] = []
        self._program: asyncio.subprocess.Process | None = None
        self._output = b""
        self._started = asyncio.Event()
        self._ended = asyncio.Event()
        self._tasks: list[asyncio.Future[None]] = []

    @property
    def state(self) -> str:
        """What the application does: "starting", "running" or "ended"."""
        if self._program is None:
            return "starting"
        return "running" if self._program.returncode is None else "ended"

    @property
    def exit_code(self) -> int | None:
        """The application's exit code, once it ended."""
        return self._program.returncode if self._program else None

    @property
    def last_words(self) -> str:
        """The end of what the application printed."""
        return self._output.decode(errors="replace")

    async def start(self) -> None:
        """Start everything.

        Raises:
            SessionFailed: the X server did not come up.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        rc = write_openbox_files(self._folder, self._menu, maximised=self.application.maximised)
        await self._start_x()
        await self._help("xsetroot", "-solid", BACKGROUND)
        await self._help("openbox", "--sm-disable", "--config-file", str(rc))
        await self.start_application()

    async def start_application(self) -> None:
        """Start the application, if it does not run."""
        if self._program is not None and self._program.returncode is None:
            return
        self._output = b""
        try:
            self._program = await asyncio.create_subprocess_exec(
                *self.application.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment(self.application.environment),
                start_new_session=True,
            )
        except OSError as error:
            raise SessionFailed(
                f"{self.application.title} is not installed here ({self.application.command[0]}).",
                remedy="Please tell the administrators.",
            ) from error
        self._tasks.append(asyncio.ensure_future(self._listen(self._program)))

    async def wait_started(self) -> None:
        """Wait until the screen can be connected to."""
        await self._started.wait()

    async def wait_ended(self) -> None:
        """Wait until the X server is gone: without it there is no desktop."""
        await self._ended.wait()

    async def stop(self) -> None:
        """End the application first (it may want to save), then the rest."""
        for process in [self._program, *reversed(self._helpers)]:
            if process is None or process.returncode is not None:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 2.0)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _start_x(self) -> None:
        _write_cookie(self._xauthority)
        number_read, number_write = os.pipe()
        try:
            x = await asyncio.create_subprocess_exec(
                *x_argv(self.screen_socket, self._xauthority, number_write, self._title),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(number_write,),
                start_new_session=True,
            )
        except OSError as error:
            os.close(number_read)
            raise SessionFailed("The X server is not installed here.", remedy="Tell the administrators.") from error
        finally:
            os.close(number_write)
        self._helpers.append(x)
        try:
            number = await asyncio.wait_for(asyncio.to_thread(_read_number, number_read), X_TIMEOUT_S)
        except (TimeoutError, ValueError) as error:
            raise SessionFailed("The screen did not start.", remedy="Please launch again.") from error
        finally:
            os.close(number_read)
        self._display_name = f":{number}"
        self._tasks.append(asyncio.ensure_future(self._watch_x(x)))
        self._started.set()

    async def _watch_x(self, x: asyncio.subprocess.Process) -> None:
        await x.wait()
        self._ended.set()

    async def _help(self, *argv: str) -> None:
        """Start a program the desktop is better with; one that is not installed is not missed."""
        with contextlib.suppress(OSError):
            self._helpers.append(
                await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    env=self._environment({}),
                    start_new_session=True,
                )
            )

    async def _listen(self, program: asyncio.subprocess.Process) -> None:
        """Keep the end of the application's output, whatever its amount, and notice its end."""
        assert program.stdout is not None
        while piece := await program.stdout.read(65536):
            self._output = (self._output + piece)[-KEPT_OUTPUT:]
        await program.wait()

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        # the session's own token is not the application's business
        env = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTERHUB_", "JPY_", "DAAS_"))}
        return env | {"DISPLAY": self._display_name, "XAUTHORITY": str(self._xauthority)} | more


def x_argv(screen: Path, xauthority: Path, number_fd: int, title: str) -> list[str]:
    """Give the X server's arguments: a screen on a socket file, no port, no password, no other way in."""
    return [
        "Xvnc", "-displayfd", str(number_fd), "-auth", str(xauthority), "-nolisten", "tcp",
        "-rfbunixpath", str(screen), "-rfbunixmode", "0600", "-rfbport", "-1", "-SecurityTypes", "None",
        "-AlwaysShared", "-geometry", START_GEOMETRY, "-depth", "24", "-FrameRate", "60",
        "-desktop", "".join(letter for letter in title if letter.isprintable())[:60], "-Log", "*:stderr:0",
    ]  # fmt: skip


def _write_cookie(path: Path) -> None:
    """Write an X authority file with one fresh cookie for any display (format: Xau's Xauth.h)."""
    fields = [b"", b"", b"MIT-MAGIC-COOKIE-1", secrets.token_bytes(16)]
    entry = b"\xff\xff" + b"".join(len(field).to_bytes(2, "big") + field for field in fields)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(entry)


def _read_number(fd: int) -> int:
    """Read the display's number, which X writes once it takes connections."""
    said = b""
    while not said.endswith(b"\n"):
        piece = os.read(fd, 16)
        if not piece:
            raise ValueError("the X server ended")
        said += piece
    return int(said)
