"""How the page says that events are exported: with jq, and through JupyterHub's own handlers."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import warnings
from pathlib import Path

import pytest
from jupyter_events import EventLogger
from traitlets.config import Config

from daas_hub.audit.events import close_audit, open_audit, record_launch, record_login

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "audit.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An audit with the events of two people, one of them in the file of an earlier day."""
    config = Config({"Audit": {"directory": str(tmp_path)}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        open_audit(config, EventLogger())
    record_login("signed-in", "umbrella", user="u1", account="anna")
    for proposal in ("MA-4242", "XX-1"):
        facts = {"account": "anna", "application": "pymca", "proposals": (proposal,), "launch": "1a2b3c4d"}
        record_launch("started", "u1", proposal, **facts)
    close_audit()
    lines = (tmp_path / "audit.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "audit.jsonl.2026-01-01").write_text(lines[1].replace("u1", "u2"))
    return tmp_path


def commands() -> list[str]:
    (block,) = re.findall(r"made for `jq`:\n\n```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [line for line in block.splitlines() if line.startswith("cat ")]


def test_the_commands_of_the_page(folder: Path) -> None:
    of_proposal, as_csv = (
        subprocess.run(["bash", "-c", one], cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
        for one in commands()
    )
    assert [json.loads(one)["user"] for one in of_proposal] == ["u1", "u2"]
    assert [one.partition(",")[2] for one in as_csv] == ['"started","anna","pymca","1a2b3c4d"'] * 3


def test_handlers_of_the_site_get_the_events(tmp_path: Path) -> None:
    lines: list[str] = []

    class Elsewhere(logging.Handler):
        """Sends to another machine."""

        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        open_audit(Config({"Audit": {"directory": str(tmp_path)}}), EventLogger(handlers=[Elsewhere()]))
    record_login("signed-in", "umbrella", user="u1", account="anna")
    close_audit()
    assert [json.loads(one)["account"] for one in lines] == ["anna"]
