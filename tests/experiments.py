"""Data directories of the kinds that go wrong, and the proposal TS-0001 whose visits they are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import yaml

DEMO = Path(__file__).parents[1] / "demo" / "proposals.yaml"
SPECTRUM = Path("/usr/share/pymca/XRFSpectrum.mca")

#: visit number -> directory below the allowed root
VISITS = {
    1: "own",  # belongs to the account, which may write every file: only the mount stands between
    2: "missing",
    3: "link",  # a symbolic link to a directory outside
    4: "through/link/own",  # a link in the middle
    5: "run{1}:x, y $(id)",  # a name that templates, mount options and shells would read
    6: "file",
}


#: One visit with two directories, whose names the kernel writes in another way.
TWO = ("run 1", "run\\2")


def experiments(state: Path) -> str:
    """Make the directories; give the configuration lines that make them a proposal of anna and ben."""
    root = state / "experiments"
    for name in (VISITS[1], VISITS[5], *TWO):
        folder = root / name
        folder.mkdir(parents=True)
        spectrum = folder / "XRFSpectrum.mca"
        shutil.copy(SPECTRUM, spectrum)
        if os.geteuid() == 0:
            os.chown(folder, 25001, 25001)
            os.chown(spectrum, 25001, 25001)
    (root / "link").symlink_to("/etc")
    (root / "through").mkdir()
    (root / "through" / "link").symlink_to(root)
    (root / "file").write_text("not a directory")
    proposals = yaml.safe_load(DEMO.read_text())
    visits = [{"number": number, "data": [str(root / name)]} for number, name in VISITS.items()]
    visits.append({"number": 7, "data": ["/etc/ssl"]})
    visits.append({"number": 8, "data": [str(root / name) for name in TWO]})
    # made by the test that looks at it
    visits.append({"number": 9, "data": [str(root / "links" / "v1")]})
    proposals["proposals"].append(
        {"id": "TS-0001", "title": "Test storage", "members": ["anna"], "gid": 26001, "visits": visits}
    )
    file = state / "proposals.yaml"
    file.write_text(yaml.safe_dump(proposals))
    return (
        f"c.Facility.proposals_file = {str(file)!r}\n"
        f"c.MountRules.data_roots = ['/usr/share', {str(root)!r}]\n"
        "c.Facility.timezone = 'Asia/Kathmandu'\n"
        f"c.MountRules.path_aliases = {{'/facility/visitor': {str(root / 'links')!r}}}"
    )
