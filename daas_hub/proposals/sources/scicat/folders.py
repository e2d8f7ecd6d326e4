"""Directories of raw data from SciCat's datasets: each has a `sourceFolder`, a proposal id and a time. Pure.

A dataset counts for a person only if one of their groups may read it, whatever the portal's login may see.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from daas_hub.proposals.reading import time_of
from daas_hub.proposals.sources.scicat.queries import Whose

#: The fields that are asked for.
FIELDS = ("proposalId", "sourceFolder", "creationTime", "ownerGroup", "accessGroups")
#: A visit with more directories than these has none: nobody would find anything among them.
MAX_FOLDERS = 20
#: The key of a visit's directories in a period.
KEY = "sourceFolders"


def readable(datasets: Iterable[Any], whose: Whose) -> list[dict[str, Any]]:
    """Return the datasets that one of the person's groups may read."""
    by_groups = Whose(("ownerGroup", "accessGroups"), whose.groups)
    return [one for one in datasets if isinstance(one, dict) and by_groups.has_group_of(one)]


def folder_of(dataset: dict[str, Any], depth: int) -> str | None:
    """Return the first `depth` components of a dataset's directory, all of them if that is 0; None without one."""
    text = dataset.get("sourceFolder")
    if not isinstance(text, str) or not text.startswith("/") or not text.isprintable():
        return None
    parts = PurePosixPath(text).parts
    if ".." in parts or text.startswith("//") or len(parts) <= max(depth, 1):
        return None
    return str(PurePosixPath(*parts[: depth + 1])) if depth else str(PurePosixPath(text))


def outermost(folders: Iterable[str]) -> list[str]:
    """Return directories without those that are inside another one."""
    kept: list[PurePosixPath] = []
    for path in sorted(map(PurePosixPath, set(folders))):
        # sorted by components: what is inside a directory follows it
        if not kept or not path.is_relative_to(kept[-1]):
            kept.append(path)
    return [str(path) for path in kept]


def with_folders(records: Sequence[Any], datasets: Iterable[dict[str, Any]], depth: int) -> list[Any]:
    """Return proposals whose periods have the directories of their datasets.

    A dataset belongs to the period in which it was made; if there is only one period, to that.
    """
    by_proposal: dict[str, list[dict[str, Any]]] = {}
    for one in datasets:
        by_proposal.setdefault(str(one.get("proposalId")), []).append(one)
    return [
        _filled(one, by_proposal.get(str(one.get("proposalId")), []), depth) if isinstance(one, dict) else one
        for one in records
    ]


def _filled(record: dict[str, Any], own: list[dict[str, Any]], depth: int) -> dict[str, Any]:
    periods = record.get("MeasurementPeriodList")
    if not own or not isinstance(periods, list):
        return record
    is_only = len(periods) == 1
    filled = []
    for period in periods:
        if not isinstance(period, dict):
            filled.append(period)
            continue
        folders = outermost(
            folder
            for one in own
            if (is_only or _is_during(one, period)) and (folder := folder_of(one, depth)) is not None
        )
        # too many would be refused by the reader: it is a problem that the person and the log learn about
        filled.append(period | {KEY: folders if len(folders) <= MAX_FOLDERS else [f"{len(folders)} directories"]})
    return record | {"MeasurementPeriodList": filled}


def _is_during(dataset: dict[str, Any], period: dict[str, Any]) -> bool:
    try:
        made, start, end = (time_of(one) for one in (dataset.get("creationTime"), period["start"], period["end"]))
    except (ValueError, KeyError):
        return False
    if made is None or start is None or end is None:
        return False
    # an end without a time of day is meant to be that day's end
    is_day = end.time() == datetime.time()
    return start <= made <= end + datetime.timedelta(days=1 if is_day else 0)
