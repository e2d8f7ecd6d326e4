"""Converts the CSV files of a CALIPSOplus portal to the YAML file of `Facility.proposals = "static"`.

That portal's commands add_experiment_csv, add_session_csv and add_user_csv read these files; the columns are the same.
Rows that cannot be imported are reported, and no value is invented: no group, no directory, no visit number.
"""

from __future__ import annotations

import csv
import datetime
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from daas_hub.accounts import AccountTable
from daas_hub.errors import DaasError, DocumentError
from daas_hub.proposals import ProposalFile
from daas_hub.proposals.model import PROPOSAL_ID
from daas_hub.proposals.reading import MAX_ABSTRACT, MAX_TITLE, beamlines_of, gid_of, number_of, time_of
from daas_hub.proposals.sources.calipsoplus import volumes_of

EXPERIMENTS = ("public_number", "title", "description", "beamline_code", "uid", "gid")
SESSIONS = ("public_number", "session_number", "start_date", "end_date", "subject", "body", "data_set_path")
USERS = ("public_number", "userlogin")
#: Required columns.
_NEEDED = {EXPERIMENTS: ("public_number",), SESSIONS: ("public_number", "session_number"), USERS: USERS}
MAX_BYTES = 50_000_000

Row = dict[str, str]


class ImportFailed(DaasError):
    """Nothing was written: a file cannot be read or written, or the result is not a valid file of proposals."""

    reason = "import"


@dataclass
class Report:
    """The result of an import.

    Attributes:
        left_out: a message for each row that was not imported: file, line, reason.
        remarks: further messages for the administrator.
    """

    proposals: int = 0
    visits: int = 0
    members: int = 0
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def import_files(
    experiments: Path,
    output: Path,
    *,
    sessions: Path | None = None,
    users: Path | None = None,
    accounts: Path | None = None,
    force: bool = False,
) -> Report:
    """Read the files and write the YAML file, completely or not at all; the result is validated first.

    Args:
        accounts: an accounts table; members that are not in it are reported, and imported nevertheless.
        force: overwrite an existing file.

    Raises:
        ImportFailed: nothing was written.
    """
    if output.exists() and not force:
        raise ImportFailed(f"{output} already exists.", remedy="Choose another --output, or use --force.")
    report = Report()
    known = _experiments(_rows(experiments, EXPERIMENTS), report)
    for row in _rows(sessions, SESSIONS) if sessions else ():
        _take(report, row, lambda values: _add_visit(known, values, report))
    for row in _rows(users, USERS) if users else ():
        _take(report, row, lambda values: _add_member(known, values, report))
    if accounts is not None:
        report.remarks += _without_account(known, accounts)
    without_members = [name for name, proposal in known.items() if not proposal.get("members")]
    if without_members:
        report.remarks.append(
            f"{len(without_members)} proposals have no members, and are not shown to anybody: {_some(without_members)}"
        )
    if not known:
        raise ImportFailed(f"{experiments} has no experiment that can be imported.", remedy="See the lines above.")
    _write(output, {"proposals": list(known.values())}, force=force)
    return report


# -- rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """A row, with its file and line."""

    file: Path
    number: int
    values: Row


def _rows(file: Path, columns: tuple[str, ...]) -> list[_Line]:
    """Read a CSV file in UTF-8, with commas, or with semicolons if the first line has only those.

    Raises:
        ImportFailed: it is not a CSV file, or a required column is missing.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ImportFailed(f"{file} is larger than {MAX_BYTES} bytes.", remedy="Split it.")
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportFailed(f"{file} cannot be read: {error}", remedy="It must be a text file in UTF-8.") from None
    head = text.partition("\n")[0]
    reader = csv.DictReader(
        text.splitlines(keepends=True), delimiter=";" if ";" in head and "," not in head else ",", strict=True
    )
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    missing = [name for name in _NEEDED[columns] if name not in names]
    if missing:
        raise ImportFailed(
            f"{file} has no column {missing[0]}.", remedy=f"Its first line should be {','.join(columns)}"
        )
    reader.fieldnames = names
    lines = []
    try:
        for row in reader:
            values = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
            if any(values.values()):
                extra = {"": "more values than columns"} if None in row else {}
                lines.append(_Line(file, reader.line_num, values | extra))
    except csv.Error as error:
        raise ImportFailed(
            f"{file}, after line {reader.line_num}: {error}", remedy="Correct the quotes in it."
        ) from None
    return lines


def _take(report: Report, line: _Line, take: Callable[[Row], None]) -> None:
    try:
        if problem := line.values.get(""):
            raise ValueError(problem)
        take(line.values)
    except ValueError as error:
        report.left_out.append(f"{line.file}, line {line.number}: {error}")


# -- proposals -------------------------------------------------------------------------------------------------------


def _experiments(lines: Iterable[_Line], report: Report) -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    accounts: set[str] = set()
    for line in lines:
        _take(report, line, lambda values: _add_proposal(known, values, report))
        if line.values.get("uid"):
            accounts.add(line.values["uid"])
    if accounts:
        report.remarks.append(
            f"{len(accounts)} different uids were not imported: a session runs as the account of its owner, or as"
            " ProposalAccounts configures"
        )
    return known


def _add_proposal(known: dict[str, dict[str, Any]], row: Row, report: Report) -> None:
    name = row["public_number"]
    if not PROPOSAL_ID.fullmatch(name):
        raise ValueError(f"{name!r:.60} is not a valid id: use at most 64 letters, digits, '.', '_' and '-'")
    if name.lower() in {other.lower() for other in known}:
        raise ValueError(f"{name} occurs twice (ids are case-insensitive)")
    gid = row.get("gid", "")
    if gid and gid != "." and not re.fullmatch(r"[0-9]{1,10}", gid, re.ASCII):
        raise ValueError(f"{name}: the group {gid!r:.60} is not a number: use its gid")
    number = gid_of(gid, {})
    abstract = row.get("description", "")
    proposal: dict[str, Any] = {"id": name, "title": row.get("title", "")[:MAX_TITLE] or name}
    if abstract:
        proposal["abstract"] = abstract[:MAX_ABSTRACT]
    proposal |= {"beamlines": beamlines_of([row.get("beamline_code", "")]), "members": [], "visits": []}
    if number is not None:
        proposal["gid"] = number
    known[name] = proposal
    report.proposals += 1


def _add_visit(known: dict[str, dict[str, Any]], row: Row, report: Report) -> None:
    proposal = _of(known, row)
    name = row["session_number"]
    number = number_of(name)
    taken = {visit["number"]: visit for visit in proposal["visits"]}
    if number in taken:
        other = taken[number].get("name", str(number))
        raise ValueError(f"{proposal['id']}: session {name} would be visit {number}, which {other} is already")
    if not name.isprintable() or "/" in name or len(name) > 64:
        raise ValueError(f"{proposal['id']}: session {name!r:.60} has a name that cannot be used in a path")
    visit: dict[str, Any] = {"number": number} | ({"name": name} if name != str(number) else {})
    if row.get("subject"):
        visit["title"] = row["subject"][:MAX_TITLE]
    if len(proposal["beamlines"]) == 1:
        visit["beamline"] = proposal["beamlines"][0]
    for key, column in (("start", "start_date"), ("end", "end_date")):
        if (moment := time_of(row.get(column) or None)) is not None:
            visit[key] = moment.astimezone(datetime.UTC)
    if data := volumes_of([row["data_set_path"]] if row.get("data_set_path") else []):
        visit["data"] = list(data)
    proposal["visits"].append(visit)
    report.visits += 1


def _add_member(known: dict[str, dict[str, Any]], row: Row, report: Report) -> None:
    proposal, login = _of(known, row), row["userlogin"]
    if not login or not login.isprintable() or len(login) > 255:
        raise ValueError(f"{proposal['id']}: {login!r:.60} is not an account name")
    if login not in proposal["members"]:
        proposal["members"].append(login)
        report.members += 1


def _of(known: dict[str, dict[str, Any]], row: Row) -> dict[str, Any]:
    name = row["public_number"]
    if name not in known:
        raise ValueError(f"there is no experiment {name!r:.60}, or it was not imported")
    return known[name]


def _without_account(known: dict[str, dict[str, Any]], accounts: Path) -> list[str]:
    try:
        names = AccountTable(accounts).names
    except DocumentError as error:
        raise ImportFailed(str(error), remedy="Correct it, or leave out --accounts.") from None
    members = {member for proposal in known.values() for member in proposal["members"]}
    missing = sorted(members - names)
    return [f"{len(missing)} members are not in {accounts}: {_some(missing)}"] if missing else []


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


# -- the file --------------------------------------------------------------------------------------------------------


def _write(output: Path, document: dict[str, Any], *, force: bool) -> None:
    """Write a temporary file, read it as the portal would, and only then move it to its place.

    Raises:
        ImportFailed: nothing was changed.
    """
    text = "# Created by `daas-hub import`; you can edit it.\n" + yaml.safe_dump(
        document, sort_keys=False, allow_unicode=True, width=110
    )
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=output.parent, prefix=f".{output.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o640)
        ProposalFile(temporary)
        if force:
            temporary.replace(output)
        else:
            # unlike a rename, a hard link never replaces a file that was created meanwhile
            os.link(temporary, output)
    except DocumentError as error:
        message = str(error).replace(str(temporary), str(output))
        raise ImportFailed(f"The result cannot be used: {message}", remedy="Split it into fewer proposals.") from None
    except FileExistsError:
        raise ImportFailed(f"{output} already exists.", remedy="Use --force to overwrite it.") from None
    except OSError as error:
        raise ImportFailed(f"{output} cannot be written: {error.strerror}", remedy="Choose another --output.") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
