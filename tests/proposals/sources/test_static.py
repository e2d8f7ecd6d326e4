"""Proposals from a YAML file: whose they are, what is a mistake in it, and a file that breaks (R16, AL05, AL06)."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest

from daas_hub.accounts import Account
from daas_hub.errors import DocumentError, SourceUnavailable
from daas_hub.proposals import ProposalFile

GLASS = """
  - id: MA-4242
    title: Roman glass
    abstract: Trace elements
    beamlines: [ID21]
    members: [anna, ben]
    gid: 26001
    visits:
      - {number: 1, title: Reference, beamline: ID21, start: 2026-03-09T08:00:00Z, data: [/data/visitor/a]}
      - {number: 2}
"""
FOILS = "\n  - {id: LS-1007, title: Foils, beamlines: [BM23], members: [anna]}\n"
STAFF = "\nbeamline_staff: {ID21: [carla, anna], BM99: [dora]}\n"


def account_named(name: str) -> Account:
    return Account(name, 25001, 25001)


def written(folder: Path, *entries: str) -> Path:
    file = folder / "proposals.yaml"
    file.write_text("proposals:" + "".join(entries))
    stamp = file.stat().st_mtime_ns + 1_000_000 * len(entries)
    os.utime(file, ns=(stamp, stamp))
    return file


@pytest.mark.parametrize(
    ("account", "ids"),
    [
        pytest.param("anna", ["MA-4242", "LS-1007"], id="member of both, once each although staff too"),
        pytest.param("ben", ["MA-4242"], id="member of one"),
        pytest.param("carla", ["MA-4242"], id="staff of the beamline"),
        pytest.param("dora", [], id="staff of another beamline (D8)"),
        pytest.param("", [], id="nobody"),
        pytest.param("Anna", [], id="C1 capitals"),
        pytest.param("ann", [], id="A11 a prefix"),
        pytest.param("MA-4242", [], id="an id is no account"),
    ],
)
async def test_whose_proposals(tmp_path: Path, account: str, ids: list[str]) -> None:
    source = ProposalFile(written(tmp_path, GLASS, FOILS, STAFF))
    assert [proposal.id for proposal in await source.proposals_of(account_named(account))] == ids


async def test_a_proposal_with_all_it_has(tmp_path: Path) -> None:
    (proposal,) = await ProposalFile(written(tmp_path, GLASS)).proposals_of(account_named("ben"))
    assert (proposal.title, proposal.beamlines, proposal.gid) == ("Roman glass", ("ID21",), 26001)
    first, second = proposal.visits
    assert first.start == datetime.datetime(2026, 3, 9, 8, tzinfo=datetime.UTC)
    assert (first.data, second.data, second.start) == (("/data/visitor/a",), (), None)
    assert proposal.visit(2) is second
    assert proposal.visit(3) is None


@pytest.mark.parametrize(
    "written_id",
    [
        *(
            "../p2",
            "..",
            ".",
            "''",
            "/etc",
            "p1/../x",
            "p1//x",
            "p1/",
            "'p 1'",
            "'p1\\n'",
            '"p1\\n"',
            '"p\\u202E1"',
            "4242",
            "true",
            "null",
        ),
        *("-rf", "p:1", "'{x}'", "p" * 65, "ｐ１"),
    ],
)
def test_hostile_ids_are_refused(tmp_path: Path, written_id: str) -> None:
    """A1 to A4: an id that could not stand in a path is refused where it enters the house."""
    with pytest.raises(DocumentError, match="id"):
        ProposalFile(written(tmp_path, f"\n  - {{id: {written_id}, title: x}}\n"))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        pytest.param((FOILS, FOILS), "is there twice", id="a proposal twice"),
        pytest.param((FOILS, FOILS.replace("LS-", "ls-")), "is there twice", id="A4 twice but for capitals"),
        pytest.param(
            (GLASS.replace("number: 2", "number: 1"),), "visit", id="a visit's number twice: whose data is it?"
        ),
        pytest.param((GLASS.replace("number: 2", "number: -1"),), "visits.1.number", id="a negative visit"),
        pytest.param((GLASS.replace("number: 2", "number: 2147483648"),), "visits.1.number", id="visit too high"),
        pytest.param((GLASS.replace("number: 2", "number: '2'"),), "visits.1.number", id="G2 a number that is text"),
        pytest.param((GLASS.replace("[anna, ben]", "null"),), "members", id="G2 no list of members"),
        pytest.param((GLASS.replace("[anna, ben]", "[anna, 7]"),), "members.1", id="G2 a member that is a number"),
        pytest.param((GLASS.replace("[anna, ben]", "anna"),), "members", id="G2 text is not a list of letters"),
        pytest.param((GLASS.replace("gid: 26001", "gid: '26001'"),), "gid", id="B1 a group in quotes"),
        pytest.param((GLASS.replace("2026-03-09T08:00:00Z", "2026-03-09"),), "start", id="G2 a day without an hour"),
        pytest.param((GLASS.replace("2026-03-09T", "0000-03-09T"),), "not YAML", id="G2 year 0"),
        pytest.param((GLASS.replace("2026-03-09T", "99999-03-09T"),), "start", id="G2 year 99999"),
        pytest.param((FOILS.replace("Foils", "''"),), "title", id="no title"),
        pytest.param((FOILS.replace("Foils", "F" * 1001),), "title", id="C8 a title too long"),
        pytest.param((GLASS.replace("gid: 26001", "secret: x"),), "secret", id="an unknown key"),
    ],
)
def test_configuration_errors_are_reported_at_startup(tmp_path: Path, entries: tuple[str, ...], words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        ProposalFile(written(tmp_path, *entries))


async def test_an_edit_needs_no_restart(tmp_path: Path) -> None:
    """D3: who is no longer a member has no longer a proposal."""
    source = ProposalFile(written(tmp_path, GLASS, FOILS))
    assert len(await source.proposals_of(account_named("anna"))) == 2
    written(tmp_path, FOILS)
    assert [proposal.id for proposal in await source.proposals_of(account_named("anna"))] == ["LS-1007"]
    assert await source.proposals_of(account_named("ben")) == ()


@pytest.mark.parametrize("harm", ["gone", "broken", "empty", "a record of a wrong type"])
async def test_a_file_that_breaks_grants_nothing(tmp_path: Path, harm: str) -> None:
    """D7: not the old answer, and not an empty list, which would read as "no member of anything"; and it heals."""
    file = written(tmp_path, GLASS)
    source = ProposalFile(file)
    if harm == "gone":
        file.unlink()
    else:
        content = {"broken": "proposals: [", "empty": "", "a record of a wrong type": "proposals: [{id: 7}]"}[harm]
        file.write_text(content)
    for _ in range(2):
        with pytest.raises(SourceUnavailable) as raised:
            await source.proposals_of(account_named("anna"))
        assert str(tmp_path) not in str(raised.value)
        assert str(file) in raised.value.detail, "the log names the file"
    written(tmp_path, GLASS, FOILS)
    assert len(await source.proposals_of(account_named("anna"))) == 2
