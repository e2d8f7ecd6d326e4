"""Looks at a session's X server from outside, as its own account: which windows it has, by title, and its size."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.live_portal import is_of_another_run
from tests.waiting import wait_for


class Screen:
    """The X server of a session, found by the words of its title."""

    def __init__(self, title: str) -> None:
        self.pid = _newest("Xvnc", title)
        # a browser has a first picture before there is a window manager
        window_manager = wait_for(lambda: _beside(self.pid, "openbox"), f"a window manager beside {title!r}")
        variables = Path(f"/proc/{window_manager}/environ").read_bytes().split(b"\0")
        env = dict(line.decode().split("=", 1) for line in variables if b"=" in line)
        self._env = [f"{name}={env[name]}" for name in ("DISPLAY", "XAUTHORITY")]

    def titles(self) -> list[str]:
        """Return the title of every window that has one."""
        return re.findall(r'^\s+0x[0-9a-f]+ "(.*?)":', self._run("xwininfo", "-root", "-tree"), re.MULTILINE)

    def size(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        match = re.search(r"-geometry (\d+)x(\d+)", self._run("xwininfo", "-root"))
        assert match
        return int(match[1]), int(match[2])

    def span(self, title: str) -> tuple[int, int]:
        """Return where a window begins and ends, from left to right."""
        described = self._run("xwininfo", "-name", title)
        left, width = (re.search(rf"{words}:\s+(-?\d+)", described) for words in ("Absolute upper-left X", "Width"))
        assert left
        assert width
        return int(left[1]), int(left[1]) + int(width[1])

    def resources(self) -> str:
        """Return the X resources, which programs read their resolution from."""
        return self._run("xprop", "-root", "RESOURCE_MANAGER")

    def active(self) -> str:
        """Return the title of the window that has the keyboard; "" for none."""
        found = re.search(r"0x[0-9a-f]+", self._run("xprop", "-root", "_NET_ACTIVE_WINDOW"))
        if found is None or int(found[0], 16) == 0:
            return ""
        name = re.search(r'= "(.*)"', self._run("xprop", "-id", found[0], "_NET_WM_NAME"))
        return name[1] if name else ""

    def wait_for(self, is_so: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
        """Wait until something is so."""
        wait_for(is_so, lambda: f"{what}; windows: {self.titles()}", timeout_s=timeout_s)

    def wait_for_window(self, words: str, *, gone: bool = False, timeout_s: float = 30.0) -> None:
        """Wait until a window with these words in its title is there (or gone)."""
        self.wait_for(
            lambda: any(words in title for title in self.titles()) is not gone,
            f"a window {words!r}{' gone' * gone}",
            timeout_s,
        )

    def _run(self, *argv: str) -> str:
        if os.readlink(f"/proc/{self.pid}/ns/user") == os.readlink("/proc/self/ns/user"):
            # a container, whose image need not have the program: its screen listens on a name of its network, too
            env = [one.replace("XAUTHORITY=", f"XAUTHORITY=/proc/{self.pid}/root") for one in self._env]
            command = ["nsenter", "-t", str(self.pid), "-n", "env", *env, *argv]
        else:
            status = os.stat(f"/proc/{self.pid}")
            numbers = ["-S", str(status.st_uid), "-G", str(status.st_gid)]
            who = numbers if os.geteuid() == 0 else ["--preserve-credentials"]
            command = ["nsenter", "-t", str(self.pid), "-U", "-m", "-n", *who, "env", *self._env, *argv]
        for _ in range(5):
            # a window that goes away while the tree is listed makes xwininfo fail: ask again
            asked = subprocess.run(command, check=False, capture_output=True, text=True)
            if asked.returncode == 0:
                return asked.stdout
            time.sleep(0.2)
        raise AssertionError(f"{argv[0]}: {asked.stderr}")


def _processes(program: str, words: str = "") -> list[int]:
    """Return the processes of a program with these words, the newest last, but none that other tests run meanwhile."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            argv = (entry / "cmdline").read_bytes().split(b"\0")
            if Path(argv[0].decode()).name != program or words not in b" ".join(argv).decode(errors="replace"):
                continue
            if not is_of_another_run(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue
    return sorted(found, key=_started)


def _beside(pid: int, program: str) -> int | None:
    """Return the process of a program in the session of another process; None without one."""
    session = os.readlink(f"/proc/{pid}/ns/pid")
    for other in _processes(program):
        with suppress(OSError):
            if os.readlink(f"/proc/{other}/ns/pid") == session:
                return other
    return None


def _started(pid: int) -> int:
    """Return when a process started, in ticks since boot; the numbers of processes begin anew."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def _newest(program: str, words: str, timeout_s: float = 30.0) -> int:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = _processes(program, words)
        if found:
            return found[-1]
        time.sleep(0.1)
    raise AssertionError(f"no {program} with {words!r}")
