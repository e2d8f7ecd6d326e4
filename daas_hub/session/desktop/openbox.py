"""The two files of the window manager: its settings, and the desktop's menu."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path

from daas_hub.session.settings import DesktopApplication

_MAXIMISE = '<application type="normal"><maximized>yes</maximized></application>'


def write_openbox_files(folder: Path, menu: Sequence[DesktopApplication], *, maximised: bool) -> Path:
    """Write rc.xml and menu.xml to `folder`; return the path of rc.xml."""
    templates = Path(__file__).with_name("openbox")
    menu_file = folder / "menu.xml"
    items = "".join(_item(one.title, shlex.join(one.command)) for one in menu)
    menu_file.write_text((templates / "menu.xml").read_text().replace("<!-- applications -->", items))
    rc = (templates / "rc.xml").read_text()
    rc = rc.replace("<!-- menu file -->", escape(str(menu_file)))
    rc = rc.replace("<!-- applications -->", _MAXIMISE if maximised else "")
    rc_file = folder / "rc.xml"
    rc_file.write_text(rc)
    return rc_file


def _item(title: str, command: str) -> str:
    return f'<item label="{escape(title)}"><action name="Execute"><command>{escape(command)}</command></action></item>'
