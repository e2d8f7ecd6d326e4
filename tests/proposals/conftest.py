"""What the sources' tests share: an account, and secrets in files of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def secret_file(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that puts a secret into a private file and gives its path."""

    def write(secret: str) -> str:
        file = tmp_path / "secret"
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(f"{secret}\n")
        return str(file)

    return write
