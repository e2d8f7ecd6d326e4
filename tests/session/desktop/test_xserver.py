"""The X server of a desktop: started at once, on a private socket file, with a cookie; and what if there is none."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
from pathlib import Path

import pytest

from daas_hub.session.desktop.xserver import XServer, start_x, x_argv


def test_nothing_listens_on_the_network(tmp_path: Path) -> None:
    """AL43, H11: no TCP port, neither of X nor of its screen; the socket is the account's alone."""
    argv = x_argv(tmp_path / "screen", tmp_path / "Xauthority", 7, "PyMca")
    pairs = dict(itertools.pairwise(argv))
    assert (pairs["-rfbport"], pairs["-nolisten"]) == ("-1", "tcp")
    assert (pairs["-rfbunixpath"], pairs["-rfbunixmode"]) == (str(tmp_path / "screen"), "0600")
    assert pairs["-auth"] == str(tmp_path / "Xauthority")


def test_a_title_is_one_printable_word_of_the_arguments(tmp_path: Path) -> None:
    """C8: a proposal's title comes from outside."""
    argv = x_argv(tmp_path, tmp_path, 7, "a\n-listen\0tcp\x1b[2J" + "x" * 100)
    assert argv[argv.index("-desktop") + 1] == ("a-listentcp[2J" + "x" * 100)[:60]


def test_without_an_x_server_nothing_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Xvnc"):
        start_x(tmp_path / "desktop", "x")
    assert set(os.listdir("/proc/self/fd")) <= before


def test_its_files_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask is; and the cookie is another one each time."""
    (tmp_path / "Xvnc").write_text('#!/bin/bash\necho 12 >&"$2"\n')
    (tmp_path / "Xvnc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    cookies = set()
    for name in ("a", "b"):
        x = start_x(tmp_path / name, "x")
        assert x.read_display() == ":12"
        x.process.wait()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700
        assert stat.S_IMODE(x.xauthority.stat().st_mode) == 0o600
        cookies.add(x.xauthority.read_bytes())
    assert len(cookies) == 2
    assert all(cookie[:8] == b"\xff\xff\x00\x00\x00\x00\x00\x12" for cookie in cookies), "for any display of any host"


@pytest.mark.parametrize("said", ["", "7"], ids=["nothing", "half a line"])
def test_one_that_ends_at_once_is_reported(tmp_path: Path, said: str) -> None:
    read, write = os.pipe()
    os.write(write, said.encode())
    os.close(write)
    x = XServer(subprocess.Popen(["true"]), tmp_path, tmp_path, read)
    with pytest.raises(ValueError, match="ended"):
        x.read_display()
    x.process.wait()
