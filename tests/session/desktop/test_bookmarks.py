"""Bookmarks of file dialogs: for directories that the session has, and only in a home without bookmarks."""

from __future__ import annotations

import subprocess
from pathlib import Path

from daas_hub.session.desktop.bookmarks import write_bookmarks
from tests.not_tried import missing

GTK = ".config/gtk-3.0/bookmarks"
QT = ".config/QtProject.conf"


def test_bookmarks_of_what_the_session_has(tmp_path: Path) -> None:
    home = tmp_path / "Anna Å"
    for name in ("data", "processed"):
        (home / name).mkdir(parents=True)
    write_bookmarks(home)
    address = home.as_uri()
    assert " " not in address
    assert (home / GTK).read_text() == f"{address}/data data (read-only)\n{address}/processed processed\n"
    assert f"shortcuts=file:, {address}, {address}/data, {address}/processed\n" in (home / QT).read_text()
    assert (home / ".config").stat().st_mode & 0o777 == 0o700


def test_bookmarks_of_the_account_are_kept(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in (GTK, QT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    write_bookmarks(tmp_path)
    assert [(tmp_path / name).read_text() for name in (GTK, QT)] == ["mine", "mine"]


def test_a_home_without_data_is_left_alone(tmp_path: Path) -> None:
    write_bookmarks(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_home_in_which_nothing_can_be_written_gets_none(tmp_path: Path) -> None:
    """A file has the name of the directory; one that is full or read-only refuses in the same way."""
    (tmp_path / "data").mkdir()
    (tmp_path / ".config").write_text("a file")
    write_bookmarks(tmp_path)
    assert (tmp_path / ".config").read_text() == "a file"


def test_qt_shows_them(tmp_path: Path) -> None:
    """Qt itself reads the file."""
    python = "/usr/bin/python3"
    if subprocess.run([python, "-c", "import PyQt5"], check=False, capture_output=True).returncode:
        missing("sandbox", "PyQt5 is not installed")
    for name in ("data", "processed"):
        (tmp_path / name).mkdir()
    write_bookmarks(tmp_path)
    program = (
        "from PyQt5.QtWidgets import QApplication, QFileDialog; app = QApplication([]); dialog = QFileDialog();"
        "dialog.setOption(QFileDialog.DontUseNativeDialog); dialog.show();"
        "print([url.toString() for url in dialog.sidebarUrls()])"
    )
    env = {"HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(tmp_path)}
    shown = subprocess.run([python, "-c", program], env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f"{tmp_path.as_uri()}/data" in shown.stdout, shown.stdout
    assert f"{tmp_path.as_uri()}/processed" in shown.stdout
