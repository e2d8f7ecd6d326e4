"""Runs `examine` for one configuration after another, in one process inside a site: paths come in, reports go out."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from jupyterhub.crypto import CryptKeeper

import conftest  # noqa: F401  # lets a bare checkout find its top-level rooms

# isort: split
from daas_hub.commands.doctor import Login, examine
from daas_hub.facility import Facility


def main() -> None:
    """Read lines of JSON until the end."""
    for line in sys.stdin:
        told = json.loads(line)
        CryptKeeper.clear_instance()
        Facility.clear_instance()
        login = Login(**told["login"]) if told["login"] else None
        findings = asyncio.run(examine(Path(told["file"]), login))
        print(json.dumps([one.as_json() for one in findings]), flush=True)


if __name__ == "__main__":
    main()
