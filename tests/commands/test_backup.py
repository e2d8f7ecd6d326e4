"""`daas-hub backup` and `restore`: while a database is written, back to where it was, and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import socket
import sqlite3
import stat
import tarfile
import threading
from pathlib import Path

import pytest

from daas_hub.commands.main import main
from tests.commands.terminal import in_a_pipe, on_a_terminal
from tests.live_portal import free_ports

CONFIG = """
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.db_url = "{db_url}"
c.JupyterHub.cookie_secret_file = "{folder}/state/hub/cookie_secret"
c.Facility.state = "{folder}/state"
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An installation, with its configuration in etc and its state in state."""
    for name in ("etc/secrets", "state/hub", "state/private", "state/homes"):
        (tmp_path / name).mkdir(parents=True)
    database = tmp_path / "state" / "hub" / "jupyterhub.sqlite"
    write_config(tmp_path, f"sqlite:///{database}")
    (tmp_path / "etc" / "secrets" / "oidc").write_text("not-a-secret\n")
    (tmp_path / "etc" / "secrets" / "oidc").chmod(0o600)
    (tmp_path / "state" / "hub" / "cookie_secret").write_text("cookie")
    (tmp_path / "state" / "homes" / "large").write_text("data of a user")
    for file in (database, tmp_path / "state" / "private" / "links.sqlite"):
        with contextlib.closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE rows (a INTEGER, b INTEGER)")
            db.execute("INSERT INTO rows VALUES (1, 1)")
            db.commit()
    database.chmod(0o640)
    return tmp_path


def write_config(folder: Path, db_url: str) -> None:
    text = CONFIG.format(folder=folder, db_url=db_url, port=free_ports(1))
    (folder / "etc" / "jupyterhub_config.py").write_text(text)


def run(folder: Path, *argv: str) -> int:
    config = ["--config", str(folder / "etc" / "jupyterhub_config.py")] if argv[0] == "backup" else []
    return main([*argv, *config])


def rows(file: Path) -> list[tuple[int, int]]:
    with contextlib.closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute("SELECT a, b FROM rows").fetchall()


def test_everything_returns_to_where_it_was(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = installed / "backup.tar.gz"
    assert run(installed, "backup", str(archive)) == 0
    assert "5 files" in capsys.readouterr().out
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    database = installed / "state" / "hub" / "jupyterhub.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.execute("INSERT INTO rows VALUES (2, 2)")
        db.commit()
        # the log of the later database is there while it is restored
        assert database.with_name("jupyterhub.sqlite-wal").exists()
        shutil.rmtree(installed / "etc")
        assert run(installed, "restore", str(archive), "--yes") == 0
    assert "check-config" in capsys.readouterr().out
    assert rows(database) == [(1, 1)]
    assert rows(installed / "state" / "private" / "links.sqlite") == [(1, 1)]
    assert stat.S_IMODE(database.stat().st_mode) == 0o640
    secret = installed / "etc" / "secrets" / "oidc"
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("not-a-secret\n", 0o600)
    assert (installed / "state" / "hub" / "cookie_secret").read_text() == "cookie"
    assert run(installed, "restore", str(archive), "--list") == 0
    assert "homes" not in capsys.readouterr().out, "data of users are not the portal's"


def test_programs_read_what_was_restored(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = installed / "backup.tar.gz"
    assert run(installed, "backup", str(archive), "--json") == 0
    kept = json.loads(capsys.readouterr().out)
    (installed / "etc" / "secrets" / "oidc").write_text("later")
    for option, restored in (("--list", False), ("--yes", True)):
        assert run(installed, "restore", str(archive), option, "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["restored"], found["file"], found["database"]) == (restored, str(archive), "")
        assert sorted(found["files"]) == sorted(kept["files"])
        assert ((installed / "etc" / "secrets" / "oidc").read_text() == "later") != restored


def test_the_page_shows_what_they_print(
    installed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = str(installed / "backup.tar.gz")
    assert run(installed, "backup", archive) == 0
    shown = (Path(__file__).parents[2] / "docs" / "how-to" / "backup-and-restore.md").read_text()
    assert _shape(capsys.readouterr().out.replace(archive, "/root/daas-hub-backup.tar.gz")) in _shape(shown)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(installed, "restore", archive) == 0
    printed = capsys.readouterr()
    for line in (*printed.out.splitlines(), printed.err.strip()):
        assert _shape(line.replace(archive, "/root/daas-hub-backup.tar.gz")) in _shape(shown)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_on_a_terminal(installed: Path, is_terminal: bool) -> None:
    (installed / "etc" / "table.csv").write_bytes(os.urandom(3_000_000))
    archive, config = str(installed / "backup.tar.gz"), str(installed / "etc" / "jupyterhub_config.py")
    for label, argv in (
        ("copied", ["backup", archive, "--config", config]),
        ("restored", ["restore", archive, "--yes"]),
    ):
        printed, shown = on_a_terminal(argv) if is_terminal else in_a_pipe(argv)
        assert "6 files" in printed, (printed, shown)
        assert "%" not in printed, "standard output is for what was done"
        if not is_terminal:
            assert shown == ""
            continue
        steps = [int(one) for one in re.findall(rf"{label} .*?(\d+)%", shown)]
        # within the large file
        assert len({one for one in steps if 5 < one < 95}) > 1, shown
        assert steps == sorted(steps)
        assert (steps[0], steps[-1]) == (0, 100)


def _shape(text: str) -> str:
    return re.sub(r"\d+", "0", text)


def test_a_database_that_is_written_meanwhile_is_consistent(installed: Path) -> None:
    """Each transaction writes two equal numbers: the copy never has one of them."""
    database = installed / "state" / "hub" / "jupyterhub.sqlite"
    is_done = threading.Event()

    def write() -> None:
        with contextlib.closing(sqlite3.connect(database, timeout=30)) as db:
            number = 1
            while not is_done.is_set():
                number += 1
                db.execute("UPDATE rows SET a = ?", (number,))
                db.execute("UPDATE rows SET b = ?", (number,))
                db.execute("INSERT INTO rows VALUES (?, ?)", (number, number))
                db.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            assert run(installed, "backup", str(installed / f"{number}.tar.gz")) == 0
    finally:
        is_done.set()
        writer.join()
    for number in range(3):
        assert run(installed, "restore", str(installed / f"{number}.tar.gz"), "--yes") == 0
        found = rows(database)
        assert found
        assert all(a == b for a, b in found)


def test_a_running_hub_is_not_replaced(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = installed / "backup.tar.gz"
    assert run(installed, "backup", str(archive)) == 0
    port = int((installed / "etc" / "jupyterhub_config.py").read_text().partition("127.0.0.1:")[2].partition('"')[0])
    (installed / "etc" / "secrets" / "oidc").write_text("later")
    with socket.socket() as hub:
        hub.bind(("127.0.0.1", port))
        hub.listen()
        assert run(installed, "restore", str(archive), "--yes") == 1
    assert "systemctl stop daas-hub" in capsys.readouterr().err
    assert (installed / "etc" / "secrets" / "oidc").read_text() == "later"


def test_nothing_is_restored_without_a_yes(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = installed / "backup.tar.gz"
    assert run(installed, "backup", str(archive)) == 0
    (installed / "etc" / "secrets" / "oidc").write_text("later")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(installed, "restore", str(archive)) == 1
    assert "nothing was restored" in capsys.readouterr().err
    assert (installed / "etc" / "secrets" / "oidc").read_text() == "later"


@pytest.mark.parametrize(
    ("db_url", "tool"),
    [("postgresql+psycopg://x:SECRET@db/daas", "pg_dump"), ("mysql+pymysql://x:SECRET@db/daas", "mariadb-dump")],
)
def test_another_database_has_its_own_tool(
    installed: Path, db_url: str, tool: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(installed, db_url)
    archive = installed / "backup.tar.gz"
    assert run(installed, "backup", str(archive)) == 1
    printed = capsys.readouterr().err
    assert tool in printed
    assert "SECRET" not in printed
    assert not archive.exists()
    assert run(installed, "backup", str(archive), "--without-database") == 0
    assert run(installed, "restore", str(archive), "--yes") == 0
    assert "restore its dump" in capsys.readouterr().err


def test_what_is_refused(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = installed / "backup.tar.gz"
    assert run(installed, "backup", str(archive)) == 0
    assert run(installed, "backup", str(archive)) == 1
    assert "exists" in capsys.readouterr().err
    archive.chmod(0o644)
    assert run(installed, "restore", str(archive), "--yes") == 1
    assert "chmod 600" in capsys.readouterr().err
    archive.chmod(0o600)
    archive.write_bytes(archive.read_bytes()[:-200])
    assert run(installed, "restore", str(archive), "--yes") == 1
    assert "cannot be read" in capsys.readouterr().err
    write_config(installed, "sqlite:///jupyterhub.sqlite")
    assert run(installed, "backup", str(installed / "other.tar.gz")) == 1
    assert "absolute path" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "manifest", "words"),
    [
        ("etc/x", {}, "is not a backup of daas-hub"),
        ("etc/x", {"format": 99}, "or was made by a later release"),
        ("etc/../../x", {"format": 1}, "not a regular file"),
    ],
)
def test_another_archive_is_refused(
    name: str, manifest: dict[str, int], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for member, content in (("manifest.json", json.dumps(manifest).encode()), (name, b"x")):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    file.chmod(0o600)
    assert main(["restore", str(file), "--yes"]) == 1
    assert words in capsys.readouterr().err
