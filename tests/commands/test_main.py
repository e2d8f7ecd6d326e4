"""The command line itself: what help costs, exit codes of wrong use, and completion in a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daas_hub.commands.main import _COMMANDS, main

#: Modules that take a second or more to import: only the command that needs them may.
SLOW = ("aiohttp", "jupyterhub", "oauthenticator", "pydantic", "sqlalchemy", "tornado", "traitlets")


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["--version"]])
def test_help_imports_no_command(argv: list[str]) -> None:
    ended = run(
        "import sys; from daas_hub.commands.main import main; "
        f"assert main({argv}) == 0; print([one for one in {SLOW} if one in sys.modules])"
    )
    assert ended.stdout.splitlines()[-1:] == ["[]"], ended


@pytest.mark.parametrize("name", _COMMANDS)
def test_each_command_has_help_and_its_own_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    usage = capsys.readouterr().out
    assert usage.startswith(f"Usage: daas-hub {name} ")
    # the list of commands has the first sentence of the command's own help
    _, words = _COMMANDS[name]
    assert " ".join(usage.split()).lower().count(words.lower()) == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "Commands:"),
        (["no-such"], "No such command 'no-such'"),
        (["check-config"], "Missing argument 'FILE'"),
        (["check-config", "x", "--no-such"], "No such option"),
        (["links", "x", "--remove", "issuer"], "requires 2 arguments"),
        (["init", "--example", "nowhere"], "Invalid value for '--example'"),
        (["import"], "Missing option '--experiments'"),
    ],
)
def test_wrong_use_has_the_usual_code(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""


def test_an_interrupted_command_has_the_code_of_the_signal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("daas_hub.commands.inspect.check_config", interrupt)
    assert main(["check-config", "x"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("daas-hub sh", ["show-proposals"]),
        ("daas-hub check-config --", ["--help"]),
        ("daas-hub doctor x --na", ["--nagios"]),
    ],
)
def test_bash_is_offered_commands_and_options(words: str, offered: list[str]) -> None:
    ended = run(
        "import conftest; from daas_hub.commands.main import main; main()",
        _DAAS_HUB_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
    )
    assert [line.partition(",")[2] for line in ended.stdout.splitlines()] == offered, ended


@pytest.mark.parametrize(("shell", "words"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --no")])
def test_the_page_says_how_a_shell_completes(shell: str, words: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "operate-from-the-command-line.md").read_text()
    assert f"{shell}_source" in page
    ended = run("from daas_hub.commands.main import main; main()", _DAAS_HUB_COMPLETE=f"{shell}_source")
    assert words in ended.stdout, ended
    assert "daas-hub" in ended.stdout


def test_the_help_lists_every_command_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.partition("Commands:")[2].splitlines()
    assert [line.split()[0] for line in lines if line[2:3].strip()] == list(_COMMANDS)


#: All but the plugin of Nagios, which has a form of its own.
WITH_JSON = (
    "status", "sessions", "stop", "queue", "whoami", "capacity", "announce", "notices", "maintenance", "usage",
    "backup", "restore", "scaletest", "reload", "unknown-sessions",
)  # fmt: skip


@pytest.mark.parametrize("name", WITH_JSON)
def test_programs_can_read_what_operators_do(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


def test_the_page_for_operators_has_every_command_of_a_running_hub() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "operate-from-the-command-line.md").read_text()
    ours = {place.partition(":")[0] for place, _ in _COMMANDS.values()} - {"diagnose", "inspect", "set_up", "demo"}
    names = [name for name, (place, _) in _COMMANDS.items() if place.partition(":")[0] in ours] + ["whoami"]
    assert [name for name in names if f"daas-hub {name}" not in page] == []
