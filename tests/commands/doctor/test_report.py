"""What monitoring reads: a plugin's first line, its performance data, and the exit code of every end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daas_hub.commands.doctor import as_plugin_output, examine
from daas_hub.commands.main import main
from daas_hub.errors import Refused
from daas_hub.findings import Finding, not_checked, ok, problem, warning

FINE = ok("site.tls", "verify the certificate", "valid for 80 days")
LATE = warning("site.expiry", "verify the certificate", "valid for 3 days", "Renew it.")
BAD = problem("login.client", "test | the\ncredentials", "refused", "Copy the secret.")
SKIPPED = not_checked("directories.asked", "open the directories", "it needs a person")


@pytest.mark.parametrize(
    ("findings", "first"),
    [
        ([FINE, SKIPPED], "DAAS_HUB OK - in order (1 checks passed, 1 not checked)"),
        (
            [FINE, LATE],
            "DAAS_HUB WARNING - 1 warning (1 checks passed): verify the certificate: valid for 3 days",
        ),
        (
            [LATE, BAD, FINE],
            "DAAS_HUB CRITICAL - 1 problem, 1 warning (1 checks passed): test / the credentials: refused",
        ),
    ],
    ids=["in order", "a warning", "a problem"],
)
def test_the_first_line(findings: list[Finding], first: str) -> None:
    line, *others = as_plugin_output(findings, 1.26).split("\n")
    assert line.partition(" | ")[0] == first
    assert re.fullmatch(r"problems=\d warnings=\d passed=1 not_checked=\d time=1\.3s", line.partition(" | ")[2])
    assert not [one for one in others if "|" in one], "it would be taken for performance data"
    assert len(others) == len([one for one in findings if one in (LATE, BAD)])


@pytest.mark.parametrize(
    ("argv", "problem_of_run", "words"),
    [
        (["/nowhere.py"], None, "there is no such file"),
        (["@"], KeyboardInterrupt(), "interrupted"),
        (["@"], Refused("no"), "no"),
        (["@"], RuntimeError("secret detail"), "the tests could not be run: RuntimeError"),
    ],
    ids=["no file", "interrupted", "ours", "anything else"],
)
@pytest.mark.parametrize("form", ["--nagios", "--json", ""])
def test_what_could_not_be_run_is_unknown(
    argv: list[str],
    problem_of_run: BaseException | None,
    words: str,
    form: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Never 1 and never 2, which are a warning and a problem of the portal."""
    file = tmp_path / "jupyterhub_config.py"
    file.write_text("")

    async def run(*args: object) -> list[Finding]:
        assert problem_of_run is not None
        raise problem_of_run

    monkeypatch.setattr("daas_hub.commands.doctor.examine", run if problem_of_run else examine)
    assert main(["doctor", *[str(file) if one == "@" else one for one in argv], *([form] if form else [])]) == 3
    printed = capsys.readouterr()
    told = printed.out if form == "--nagios" else printed.err
    assert words in " ".join(told.split())
    if form == "--nagios":
        assert printed.out.startswith("DAAS_HUB UNKNOWN - ")
        assert printed.out.count("\n") == 1


@pytest.mark.parametrize("argv", [["doctor"], ["doctor", "x", "--no-such"], ["doctor", "x", "--json", "--nagios"]])
def test_a_command_that_is_written_wrong_is_unknown(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 3


def test_other_commands_keep_the_usual_code() -> None:
    with pytest.raises(SystemExit) as end:
        main(["check-config"])
    assert end.value.code == 2


def test_the_page_shows_the_definition_for_nagios() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "how-to" / "ask-the-doctor.md").read_text()
    definition = (root / "deploy" / "nagios" / "daas-hub.cfg").read_text()
    assert re.findall(r"```nagios\n(.*?)```", page, re.DOTALL) == [definition]
