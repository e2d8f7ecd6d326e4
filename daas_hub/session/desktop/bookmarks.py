"""Bookmarks of the session's directories for file dialogs, in a home that has no bookmarks of its own."""

from __future__ import annotations

import contextlib
from pathlib import Path

#: Directories below the home, and what dialogs call them.
_DIRECTORIES = {"data": "data (read-only)", "processed": "processed", "Proposals": "Proposals"}

#: Qt shows the sidebar that it saved only together with its width. "file:" is the computer.
_QT = """[FileDialog]
shortcuts={urls}
sidebarWidth=140
viewMode=Detail
"""


def write_bookmarks(home: Path) -> None:
    """Write the bookmarks of GTK and Qt, unless the account has some, or the session has no such directory.

    The files stay in the home, and are the account's own from then on. A home that cannot be written gets none.
    """
    found = {home / name: title for name, title in _DIRECTORIES.items() if (home / name).is_dir()}
    if not found:
        return
    gtk = "".join(f"{path.as_uri()} {title}\n" for path, title in found.items())
    qt = ", ".join(["file:", home.as_uri(), *(path.as_uri() for path in found)])
    for name, text in (("gtk-3.0/bookmarks", gtk), ("QtProject.conf", _QT.format(urls=qt))):
        with contextlib.suppress(OSError):
            _write_new(home / ".config", name, text)


def _write_new(folder: Path, name: str, text: str) -> None:
    path = folder / name
    for one in dict.fromkeys((folder, path.parent)):
        one.mkdir(mode=0o700, exist_ok=True)
    with path.open("x") as file:
        file.write(text)
