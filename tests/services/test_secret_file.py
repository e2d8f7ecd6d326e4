"""A secret's file: what is read, and what is refused before a secret gets out (L3)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daas_hub.errors import ConfigurationError
from daas_hub.services.secret_file import read_secret

SECRET = "TOP-SECRET"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.touch(0o600)
    return path


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        pytest.param("TOP-SECRET", "TOP-SECRET", id="without an end of line"),
        pytest.param("TOP-SECRET\n", "TOP-SECRET", id="as an editor writes it"),
        pytest.param("TOP-SECRET\r\n", "TOP-SECRET", id="as an editor elsewhere writes it"),
        pytest.param(" with blanks: ü€ \n", " with blanks: ü€ ", id="blanks are part of it"),
    ],
)
def test_what_is_read(file: Path, content: str, secret: str) -> None:
    file.write_bytes(content.encode())
    assert read_secret("X.password_file", str(file)) == secret


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\r\n\n", b"TOP-SECRET\nTOP-SECRET", b"TOP-SECRET\0", b"\xff\xfe", b"x" * 16_385]
)
def test_what_is_no_secret(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="one line of text") as told:
        read_secret("X.password_file", str(file))
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o700 + 0o001])
def test_a_file_that_others_may_touch_is_refused(file: Path, mode: int) -> None:
    file.write_text(SECRET)
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="can be read by others") as told:
        read_secret("X.password_file", str(file))
    assert told.value.setting == "X.password_file"
    assert told.value.remedy == f"chmod 600 {file}"
    assert SECRET not in str(told.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(file: Path) -> None:
    file.write_text(SECRET)
    os.chown(file, 25001, 25001)
    with pytest.raises(ConfigurationError, match="another user"):
        read_secret("X.password_file", str(file))


@pytest.mark.parametrize(
    ("path", "words"),
    [("", "is not set"), ("secret", "absolute"), ("/nowhere/secret", "cannot be read"), ("/etc", "no plain file")],
)
def test_what_is_no_file(path: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_secret("X.password_file", path)


def test_a_pipe_does_not_hold_up_the_hub(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigurationError, match="no plain file"):
        read_secret("X.password_file", str(tmp_path / "pipe"))
