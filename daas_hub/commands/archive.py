"""The archive of `daas-hub backup`: what an installation cannot make again, copied while the hub runs.

A SQLite database is copied by SQLite's own online backup: one consistent state, with what its write-ahead log holds.
The archive contains secrets, so only its owner can read it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import stat
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.version import __version__

MANIFEST = "manifest.json"
_FORMAT = 1
_SQLITE = b"SQLite format 3\x00"
#: Parts of a SQLite database that the online backup has put into its copy.
_PARTS = ("-wal", "-shm", "-journal")


#: Called with the bytes that were copied since the last call.
OnCopied = Callable[[int], object]


class ArchiveProblem(DaasError):
    """A backup cannot be made, or cannot be restored."""

    reason = "backup"


@dataclass(frozen=True)
class Contents:
    """What a configuration has to be kept of.

    Attributes:
        files: absolute paths.
        database: "" for SQLite, which is one of the files; else what has to be dumped with a tool of its own.
        hub_url: where the hub listens.
    """

    files: tuple[Path, ...]
    database: str
    hub_url: str

    @property
    def size_bytes(self) -> int:
        """The size of the files now; a running hub may change it."""
        return sum(path.stat().st_size for path in self.files if path.is_file())


def contents_of(file: Path, config: Any, hub_url: str) -> Contents:
    """Return what to keep: the configuration's directory, the database, the cookie key, the portal's private files.

    Raises:
        ConfigurationError: the database is a file whose directory depends on where the hub was started.
    """
    url = str(config.JupyterHub.get("db_url", "sqlite:///jupyterhub.sqlite"))
    scheme = url.partition(":")[0].partition("+")[0]
    state = Path(str(config.Facility.get("state", "/var/lib/daas-hub")))
    found = list(_below(file.resolve().parent, apart_from=state))
    for kept in (
        config.JupyterHub.get("cookie_secret_file", ""),
        config.LinkedAccounts.get("file", ""),
        url.partition("sqlite:///")[2].partition("?")[0] if scheme == "sqlite" else "",
    ):
        path = Path(str(kept))
        if kept and not path.is_absolute():
            raise ConfigurationError(
                "JupyterHub", str(kept), "is relative to the directory of the hub", remedy="Write an absolute path."
            )
        if kept and path.is_file():
            found.append(path)
    found += _below(state / "private")
    database = "" if scheme == "sqlite" else scheme
    return Contents(tuple(dict.fromkeys(found)), database, hub_url)


def write_archive(
    target: Path, contents: Contents, clock: Any = time.time, on_copied: OnCopied = lambda _: None
) -> int:
    """Write the archive, which appears under its name once it is complete; return how many files it has.

    Raises:
        ArchiveProblem: it exists, or a file cannot be read.
    """
    if target.exists():
        raise ArchiveProblem(f"{target} exists.", remedy="Choose another name, or remove it.")
    manifest = {
        "format": _FORMAT,
        "version": __version__,
        "made_at": int(clock()),
        "hub_url": contents.hub_url,
        "database": contents.database,
    }
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened, tarfile.open(fileobj=opened, mode="w:gz") as archive:
            _add_bytes(archive, MANIFEST, json.dumps(manifest, indent=1).encode())
            for path in contents.files:
                _add_file(archive, path, on_copied)
        unfinished.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise ArchiveProblem(f"The backup could not be written: {error}.") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return len(contents.files)


@contextlib.contextmanager
def read_archive(source: Path) -> Iterator[tuple[dict[str, Any], list[tarfile.TarInfo], tarfile.TarFile]]:
    """Open an archive: its manifest, its files, and itself.

    Raises:
        ArchiveProblem: it is not one of ours, it is damaged, or somebody else could have changed it.
    """
    try:
        status = source.stat()
        if status.st_mode & 0o077 or status.st_uid not in (0, os.geteuid()):
            raise ArchiveProblem(
                f"{source} can be read or changed by others.", remedy=f"chmod 600 {source}, if you know what is in it."
            )
        with tarfile.open(source, "r:gz") as archive:
            members = archive.getmembers()
            first = archive.extractfile(members[0]) if members and members[0].name == MANIFEST else None
            manifest = json.loads(first.read()) if first else {}
            if manifest.get("format") != _FORMAT:
                raise ArchiveProblem(f"{source} is not a backup of daas-hub, or was made by a later release.")
            files = members[1:]
            for one in files:
                if not one.isreg() or ".." in Path(one.name).parts:
                    raise ArchiveProblem(f"{source} has something that is not a regular file: {one.name}.")
            yield manifest, files, archive
    except (OSError, tarfile.TarError, ValueError, EOFError) as error:
        raise ArchiveProblem(f"{source} cannot be read: {error}.") from None


def write_files(files: list[tarfile.TarInfo], archive: tarfile.TarFile, on_copied: OnCopied = lambda _: None) -> None:
    """Write the files of an archive to where they were, each as a whole, with its owner and mode.

    Raises:
        OSError: one cannot be written; those before it are restored.
    """
    for one in files:
        path = Path("/") / one.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = archive.extractfile(one)
        assert content is not None
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as opened:
                while block := content.read(1 << 20):
                    opened.write(block)
                    on_copied(len(block))
                os.fchmod(opened.fileno(), stat.S_IMODE(one.mode))
                if os.geteuid() == 0:
                    os.fchown(opened.fileno(), one.uid, one.gid)
                os.fsync(opened.fileno())
            # a log of the database before would be taken for the restored one's
            for part in _PARTS:
                path.with_name(path.name + part).unlink(missing_ok=True)
            Path(unfinished).replace(path)
        finally:
            Path(unfinished).unlink(missing_ok=True)


def _below(folder: Path, *, apart_from: Path | None = None) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        is_part = path.name.endswith(_PARTS)
        is_apart = apart_from is not None and path.is_relative_to(apart_from)
        if path.is_file() and not path.is_symlink() and not is_part and not is_apart:
            yield path


class _Counted:
    """A file that says how much of it was read."""

    def __init__(self, file: IO[bytes], on_copied: OnCopied) -> None:
        self._file, self._on_copied = file, on_copied

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        block = self._file.read(size)
        self._on_copied(len(block))
        return block


def _add_file(archive: tarfile.TarFile, path: Path, on_copied: OnCopied) -> None:
    with path.open("rb") as opened:
        is_database = opened.read(len(_SQLITE)) == _SQLITE
        opened.seek(0)
        if not is_database:
            member = archive.gettarinfo(arcname=str(path).lstrip("/"), fileobj=opened)
            archive.addfile(member, _Counted(opened, on_copied) if member.isreg() else None)
            return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        with (
            contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            # its log belongs to the running hub
            target.execute("PRAGMA journal_mode = DELETE")
        member = archive.gettarinfo(copy, arcname=str(path).lstrip("/"))
        status = path.stat()
        member.mode, member.uid, member.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
        with copy.open("rb") as opened:
            archive.addfile(member, _Counted(opened, on_copied))


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))
