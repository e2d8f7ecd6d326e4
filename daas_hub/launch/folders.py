"""Names of directories in a session with several visits: ~/Proposals/<id>/<visit>, and next to it what is shared. Pure.

`~/Proposals/MA-4242/2` is the raw data of a visit, and `~/Proposals/MA-4242/processed` the processed data of that
proposal; where each visit has its own, `~/Proposals/MA-4242/processed/2`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from daas_hub.launch.paths import MOMENT_FIELDS, PATH_FIELD, PLAIN, directory_name
from daas_hub.proposals.model import Proposal, Visit

#: Directory in the home that holds them.
PROPOSALS = "Proposals"
#: Fields of templates that differ between visits of one proposal.
VISIT_ALONE = frozenset(("visit", "number", "beamline", *MOMENT_FIELDS, PATH_FIELD))


def folder_names(visits: Sequence[tuple[Proposal, Visit]], taken: Collection[str]) -> list[tuple[str, str]]:
    """Return for each visit the folder of its proposal, and its own name in it.

    Args:
        taken: names of other directories of a proposal.
    """
    folders: dict[str, str] = {}
    for proposal, _ in visits:
        if proposal.id not in folders:
            folders[proposal.id] = _unique(_plain(proposal.id), folders.values())
    found: list[tuple[str, str]] = []
    for proposal, visit in visits:
        folder = f"{PROPOSALS}/{folders[proposal.id]}"
        label = visit.label if PLAIN.fullmatch(visit.label) and ".." not in visit.label else str(visit.number)
        if label in taken or (folder, label) in found:
            label = str(visit.number)
        found.append((folder, _unique(label, [name for other, name in found if other == folder])))
    return found


def _plain(text: str) -> str:
    """Return a name that is one component of a path."""
    plain = re.sub(r"[^A-Za-z0-9._+-]", "_", directory_name(text)).lstrip(".-")
    return plain if ".." not in plain else plain.replace(".", "_")


def _unique(name: str, others: Collection[str]) -> str:
    found, count = name, 1
    while found in others:
        count += 1
        found = f"{name}_{count}"
    return found
