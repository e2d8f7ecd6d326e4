"""`read_environment`: what systemd's EnvironmentFile= gives the hub, for a shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daas_hub import read_environment
from daas_hub.errors import ConfigurationError


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write an environment file."""
    file = folder / "environment"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_each_line_is_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments and empty lines are skipped, a value may hold an equals sign, and what is set already wins."""
    monkeypatch.setattr(os, "environ", {"DAAS_TEST_SET": "theirs"})
    read_environment(written(tmp_path, "# a comment\n; another\n\nDAAS_TEST_A=a=b\nDAAS_TEST_SET=ours\nDAAS_TEST_E=\n"))
    assert os.environ == {"DAAS_TEST_A": "a=b", "DAAS_TEST_SET": "theirs", "DAAS_TEST_E": ""}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660], ids=oct)
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigurationError, match="can be read by others") as refused:
        read_environment(written(tmp_path, "DAAS_TEST_A=secret\n", mode))
    assert refused.value.remedy.startswith("chmod 600 ")


@pytest.mark.parametrize("line", ["export A=secret", "secret", "A-B=secret", "1A=secret"])
def test_a_line_that_is_no_variable_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    """And never shown: it may be a secret."""
    with pytest.raises(ConfigurationError, match="line 2'") as refused:
        read_environment(written(tmp_path, f"# first\n{line}\n"))
    assert "secret" not in str(refused.value)
