"""One desktop: X server, window manager and application, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from daas_hub.errors import SessionFailed
from daas_hub.session.desktop.bookmarks import write_bookmarks
from daas_hub.session.desktop.openbox import write_openbox_files
from daas_hub.session.desktop.xserver import XServer, environment_of_programs
from daas_hub.session.settings import DesktopApplication

BACKGROUND = "#24384b"
X_TIMEOUT_S = 20.0
BOOKMARKS_TIMEOUT_S = 1.0
KEPT_OUTPUT = 4000


def start_folder(home: Path) -> Path:
    """Return the folder in which applications start: the data if the session has any, else the home."""
    return next((folder for folder in (home / "data", home / "Proposals") if os.access(folder, os.X_OK)), home)


async def _offer_bookmarks() -> None:
    """Write bookmarks while the X server starts; a home that does not respond goes without."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.to_thread(write_bookmarks, Path.home()), BOOKMARKS_TIMEOUT_S)


class Desktop:
    """A screen with an application."""

    def __init__(self, application: DesktopApplication, menu: Sequence[DesktopApplication], x: XServer | None) -> None:
        """Take the X server that was started for it; None if none is installed."""
        self.application = application
        self._menu = tuple(menu)
        self._x = x
        self._display_name = ""
        #: How many browser windows show the screen.
        self.viewers = 0
        self._helpers: list[asyncio.subprocess.Process] = []
        self._program: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._output = b""
        self._started = asyncio.Event()
        self._ended = asyncio.Event()
        self._tasks: list[asyncio.Future[None]] = []

    @property
    def state(self) -> str:
        """The state of the application: "starting", "running" or "ended"."""
        if self._program is None:
            return "starting"
        return "running" if self._program.returncode is None else "ended"

    @property
    def exit_code(self) -> int | None:
        """The application's exit code, once it has ended."""
        return self._program.returncode if self._program else None

    @property
    def last_output(self) -> str:
        """The end of the application's output."""
        return self._output.decode(errors="replace")

    @property
    def screen_socket(self) -> str:
        """Path of the screen's socket file."""
        return os.fspath(self._x.screen) if self._x else ""

    async def start(self) -> None:
        """Start the programs that need the X server.

        Raises:
            SessionFailed: the X server did not come up.
        """
        if self._x is None:
            raise SessionFailed("The X server is not installed here.", remedy="Please tell the administrators.")
        if shutil.which(self.application.command[0]) is None:
            raise self._not_installed()
        rc = write_openbox_files(self._x.screen.parent, self._menu, maximised=self.application.maximised)
        await asyncio.gather(self._wait_for_x(self._x), _offer_bookmarks())
        await self._start_helper("xsetroot", "-solid", BACKGROUND)
        await self._start_helper("openbox", "--sm-disable", "--config-file", str(rc))
        await self.start_application()

    async def set_resolution(self, dpi: int) -> None:
        """Set the resolution that programs started from now on draw their text for."""
        await self._start_helper("xrdb", "-merge", "-", text=f"Xft.dpi: {dpi}\n")

    async def start_application(self) -> None:
        """Start the application unless it runs; concurrent calls start it once."""
        async with self._starting:
            if self._program is None or self._program.returncode is not None:
                await self._start_program()

    async def _start_program(self) -> None:
        self._output = b""
        try:
            self._program = await asyncio.create_subprocess_exec(
                *self.application.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment(self.application.environment),
                cwd=start_folder(Path.home()),
                start_new_session=True,
            )
        except OSError as error:
            raise self._not_installed() from error
        self._tasks.append(asyncio.ensure_future(self._collect_output(self._program)))

    def _not_installed(self) -> SessionFailed:
        return SessionFailed(
            f"{self.application.title} is not installed here ({self.application.command[0]}).",
            remedy="Please tell the administrators.",
        )

    async def wait_started(self) -> None:
        """Wait until the screen accepts connections."""
        await self._started.wait()

    async def wait_ended(self) -> None:
        """Wait until the X server has ended, and the desktop with it."""
        await self._ended.wait()

    async def stop(self) -> None:
        """Terminate the application first (it may save its files), then the rest."""
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
        if self._x is not None:
            await self._end_x(self._x)

    async def _wait_for_x(self, x: XServer) -> None:
        loop, pidfd = asyncio.get_running_loop(), os.pidfd_open(x.process.pid)

        def gone() -> None:
            # a pidfd stays readable once the process has ended
            loop.remove_reader(pidfd)
            os.close(pidfd)
            self._ended.set()

        loop.add_reader(pidfd, gone)
        try:
            self._display_name = await asyncio.wait_for(asyncio.to_thread(x.read_display), X_TIMEOUT_S)
        except (TimeoutError, ValueError) as error:
            raise SessionFailed("The screen did not start.", remedy="Please launch again.") from error
        self._started.set()

    @staticmethod
    async def _end_x(x: XServer) -> None:
        x.process.terminate()
        try:
            await asyncio.to_thread(x.process.wait, 2.0)
        except subprocess.TimeoutExpired:
            x.process.kill()
        shutil.rmtree(x.screen.parent, ignore_errors=True)

    async def _start_helper(self, *argv: str, text: str = "") -> None:
        """Start an optional program of the desktop, which reads `text`; ignore one that is not installed."""
        with contextlib.suppress(OSError):
            helper = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE if text else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environment({}),
                start_new_session=True,
            )
            self._helpers.append(helper)
            if text:
                await helper.communicate(text.encode())

    async def _collect_output(self, program: asyncio.subprocess.Process) -> None:
        """Keep the end of the application's output, until it ends."""
        assert program.stdout is not None
        while piece := await program.stdout.read(65536):
            self._output = (self._output + piece)[-KEPT_OUTPUT:]
        await program.wait()

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        env = environment_of_programs()
        cookie = str(self._x.xauthority) if self._x else ""
        return env | {"DISPLAY": self._display_name, "XAUTHORITY": cookie} | more
