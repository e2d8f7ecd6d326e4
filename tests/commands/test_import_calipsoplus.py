"""`daas-hub import`: the CSV files of a CALIPSOplus portal become a proposals file, or every row says why not (R16)."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from daas_hub.accounts import Account
from daas_hub.commands.import_calipsoplus import ImportFailed, import_files
from daas_hub.commands.main import main
from daas_hub.proposals import Proposal, ProposalFile

EXPERIMENTS = """public_number,title,description,beamline_code,uid,gid
20180101,"Roman glass, by XRF",A description,BL11,25001,26001
20180102,Foils,,"BL11, BL13",,
MA-4242,=cmd|' /C calc'!A0,,BL04,.,.
"""
SESSIONS = """public_number,session_number,start_date,end_date,subject,body,data_set_path
20180101,S0011,2018-10-10 10:30,2018-10-11 18:00,SUBJECT S11,,"{'/data/S11/': {'bind': '', 'mode': 'ro'}}"
20180101,12,2018-10-10T10:30:00+02:00,,,,"{'/data/out': {'bind': '', 'mode': 'rw'}}"
20180102,S0011,,,,,
"""
USERS = """public_number,userlogin
20180101,calipso1
20180101,calipso2
20180101,calipso1
20180102,calipso1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("experiments", EXPERIMENTS), ("sessions", SESSIONS), ("users", USERS)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def command(folder: Path, *more: str) -> int:
    files = [f"--{name}={folder / name}.csv" for name in ("experiments", "sessions", "users")]
    return main(["import", *files, f"--output={folder / 'proposals.yaml'}", *more])


async def proposals_of(folder: Path, name: str) -> tuple[Proposal, ...]:
    return await ProposalFile(folder / "proposals.yaml").proposals_of(Account(name, 25001, 25001))


async def test_everything_is_taken_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(folder) == 0
    glass, foils = await proposals_of(folder, "calipso1")
    assert (glass.id, glass.title, glass.abstract) == ("20180101", "Roman glass, by XRF", "A description")
    assert (glass.beamlines, glass.gid, foils.beamlines, foils.gid) == (("BL11",), 26001, ("BL11", "BL13"), None)
    first, second = glass.visits
    assert (first.number, first.name, first.label, first.title) == (11, "S0011", "S0011", "SUBJECT S11")
    assert first.start == datetime.datetime(2018, 10, 10, 10, 30, tzinfo=datetime.UTC)
    assert second.start == datetime.datetime(2018, 10, 10, 8, 30, tzinfo=datetime.UTC)
    assert (first.data, second.data, first.beamline) == (("/data/S11",), (), "BL11")
    assert [one.id for one in await proposals_of(folder, "calipso2")] == ["20180101"]
    said = capsys.readouterr().out
    assert "3 proposals, 3 visits, 3 memberships; 0 rows skipped; the file was validated" in said
    assert "1 proposals have no members, and are not shown to anybody: MA-4242" in said
    assert "uids were not imported" in said


async def test_a_session_number_of_two_proposals_is_two_visits(folder: Path) -> None:
    """F13 of the predecessor: it looked numbers up globally, and mounted default directories as root."""
    command(folder)
    assert [[visit.name for visit in one.visits] for one in await proposals_of(folder, "calipso1")] == [
        ["S0011", ""],
        ["S0011"],
    ]


@pytest.mark.parametrize(
    ("name", "row", "words"),
    [
        pytest.param("experiments", "../x,t,,,,", "'../x' is not a valid id", id="A1 a path"),
        pytest.param("experiments", ",t,,,,", "is not a valid id", id="no id"),
        pytest.param("experiments", "20180101,t,,,,", "occurs twice", id="twice"),
        pytest.param("experiments", "ma-4242,t,,,,", "occurs twice", id="twice but for capitals"),
        pytest.param("experiments", "X1,t,,,,users", "the group 'users' is not a number", id="a group's name"),
        pytest.param("experiments", "X1,t,,,0,0", "its group is 0", id="S13 root's group"),
        pytest.param("experiments", "X1,t,,,,,more", "more values than columns", id="a comma too many"),
        pytest.param(
            "sessions", "20180101,S0011,,,,,", "would be visit 11, which S0011 is already", id="a session twice"
        ),
        pytest.param("sessions", "20180101,11,,,,,", "would be visit 11", id="two sessions of one number"),
        pytest.param("sessions", "20180101,last,,,,,", "has no number", id="no number"),
        pytest.param("sessions", "nothing,1,,,,,", "there is no experiment 'nothing'", id="no experiment"),
        pytest.param("sessions", "20180101,1,yesterday,,,,", "'yesterday' is not a date", id="no date"),
        pytest.param("sessions", "20180101,1,,,,,rm -rf /", "its data_set_path is 'rm -rf /'", id="no directories"),
        pytest.param("sessions", "20180101,a/1,,,,,", "cannot be used in a path", id="A1 a name with a slash"),
        pytest.param("users", "20180101,", "is not an account name", id="no login"),
        pytest.param("users", "nothing,calipso1", "there is no experiment 'nothing'", id="no experiment of a user"),
    ],
)
def test_what_cannot_be_taken_over_is_reported_row_by_row(
    folder: Path, name: str, row: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / f"{name}.csv"
    file.write_text(file.read_text() + row + "\n")
    assert command(folder) == 1
    line = len(file.read_text().splitlines())
    (told,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("skipped:")]
    assert told.startswith(f"skipped: {file}, line {line}: ")
    assert words in told
    assert (folder / "proposals.yaml").exists(), "the rest is taken over"


def test_a_file_is_never_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = folder / "proposals.yaml"
    output.write_text("mine")
    assert command(folder) == 1
    assert output.read_text() == "mine"
    assert "already exists" in capsys.readouterr().out
    assert command(folder, "--force") == 0
    assert "Roman glass" in output.read_text()
    assert sorted(one.name for one in folder.iterdir()) == [
        "experiments.csv", "proposals.yaml", "sessions.csv", "users.csv",
    ]  # fmt: skip


def test_a_result_that_cannot_be_used_is_not_written(folder: Path) -> None:
    """What is there stays: the file is read back before it takes its place."""
    (folder / "proposals.yaml").write_text("mine")
    rows = "".join(f"P-{number},{'x' * 900},{'y' * 3000},,,\n" for number in range(1500))
    (folder / "experiments.csv").write_text(EXPERIMENTS + rows)
    with pytest.raises(ImportFailed, match="cannot be used"):
        import_files(folder / "experiments.csv", folder / "proposals.yaml", force=True)
    assert (folder / "proposals.yaml").read_text() == "mine"
    assert not list(folder.glob(".proposals*"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("title,description\nx,y\n", "has no column public_number", id="no column"),
        pytest.param("", "has no column public_number", id="empty"),
        pytest.param("public_number,title\n", "has no experiment", id="no row"),
        pytest.param('public_number,title\n1,"x\n', "after line 1: unexpected end", id="an open quote"),
    ],
)
def test_a_file_that_is_none(folder: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "experiments.csv").write_text(text)
    assert command(folder) == 1
    assert words in capsys.readouterr().out
    assert not (folder / "proposals.yaml").exists()


def test_what_a_spreadsheet_writes(folder: Path) -> None:
    """A mark at the beginning, semicolons, and other line ends."""
    (folder / "experiments.csv").write_bytes(
        EXPERIMENTS.splitlines()[0].replace(",", ";").encode("utf-8-sig") + b"\r\n"
    )
    with (folder / "experiments.csv").open("ab") as file:
        file.write("20180101;Straße;;BL11;;\r\n20180102;x;;;;\r\n".encode())
    assert command(folder) == 0
    assert "Straße" in (folder / "proposals.yaml").read_text()


def test_members_without_an_account_are_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = folder / "accounts.yaml"
    table.write_text(
        "accounts:\n  - {name: calipso1, uid: 25001, gid: 25001, logins: [{issuer: 'https://x', subject: a}]}\n"
    )
    assert command(folder, f"--accounts={table}") == 0
    assert f"1 members are not in {table}: calipso2" in capsys.readouterr().out
    table.write_text("accounts: 7\n")
    assert command(folder, f"--accounts={table}", "--force") == 1
