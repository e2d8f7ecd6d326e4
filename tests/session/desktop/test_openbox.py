"""The window manager's files: well-formed whatever a title is, and each menu entry runs its own command."""

from __future__ import annotations

import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daas_hub.session.desktop.openbox import write_openbox_files
from daas_hub.session.settings import DesktopApplication

MENU = "{http://openbox.org/3.4/menu}"
RC = "{http://openbox.org/3.4/rc}"


def entries(folder: Path) -> dict[str, str]:
    tree = ET.parse(folder / "menu.xml")
    return {item.get("label", ""): item.findtext(f".//{MENU}command", "") for item in tree.iter(f"{MENU}item")}


@pytest.mark.parametrize("maximised", [True, False])
def test_the_files(tmp_path: Path, maximised: bool) -> None:
    """ES24, AL43."""
    pymca = DesktopApplication("pymca", "PyMca", ("pymca", "-f", "a b"))
    rc = ET.parse(write_openbox_files(tmp_path, [pymca], maximised=maximised))
    assert rc.findtext(f".//{RC}file") == str(tmp_path / "menu.xml")
    assert (rc.find(f".//{RC}maximized") is not None) is maximised
    menu = entries(tmp_path)
    assert menu["PyMca"] == "pymca -f 'a b'"
    assert {"data (read-only)", "processed (shared)", "home"} <= set(menu)


@pytest.mark.parametrize(
    "title", ['"/><command>x', "</openbox_menu>", "&amp;", "<!-- applications -->", "]]>", "Å \u202e"]
)
def test_a_hostile_title_is_a_title(tmp_path: Path, title: str) -> None:
    """C6."""
    write_openbox_files(tmp_path, [DesktopApplication("x", title, ("true",))], maximised=True)
    assert entries(tmp_path)[title] == "true"


def test_a_folder_with_special_letters(tmp_path: Path) -> None:
    folder = tmp_path / "a&b<c>"
    folder.mkdir()
    rc = ET.parse(write_openbox_files(folder, [], maximised=False))
    assert rc.findtext(f".//{RC}file") == str(folder / "menu.xml")


printable = st.text(
    st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f"), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(printable, min_size=1, max_size=3))
def test_a_command_comes_out_as_it_went_in(tmp_path: Path, command: list[str]) -> None:
    write_openbox_files(tmp_path, [DesktopApplication("x", "title", tuple(command))], maximised=True)
    assert shlex.split(entries(tmp_path)["title"]) == command
