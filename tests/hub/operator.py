"""Somebody who runs commands on the portal's machine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from daas_hub.commands.main import main
from tests.live_portal import Portal


@dataclass
class Operator:
    """An operator of a running portal."""

    portal: Portal

    def run_alone(self, *argv: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as a process of its own, which reads the hub's configuration."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("daas-hub")), *argv],
            cwd="/",
            env=os.environ
            | {
                "DAAS_HUB_CONFIG": str(self.portal.state / "test_config.py"),
                "DAAS_DEMO_PORT": str(self.portal.port),
                "DAAS_DEMO_STATE": str(self.portal.state),
                "DAAS_DEMO_HOST": "127.0.0.1",
            },
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this process, which knows the portal's address and has the token's file."""
        file = str(self.portal.state / "hub" / "operator_token")
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([*argv, "--url", f"{self.portal.url}/hub", "--token-file", file])
        return subprocess.CompletedProcess(argv, status, out.getvalue(), err.getvalue())

    def asked(self, *argv: str) -> Any:
        """Return the JSON of a command that succeeds."""
        ended = self.run(*argv, "--json")
        assert ended.returncode == 0, ended
        return json.loads(ended.stdout)

    @property
    def token(self) -> str:
        """The token of the hub's service."""
        return (self.portal.state / "hub" / "operator_token").read_text().strip()

    def api(self, method: str, path: str, body: Any = None, *, token: str = "") -> requests.Response:
        """Call the hub's API as the commands do."""
        headers = {"Authorization": f"token {token or self.token}"}
        url = f"{self.portal.url}/hub/api/{path}"
        return requests.request(method, url, headers=headers, json=body, timeout=30)

    def post(self, **notice: str) -> Any:
        """Store a notice, and return it."""
        answer = self.api("POST", "daas/notices", notice)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def sessions(self) -> list[str]:
        """Return the names of the sessions that use resources."""
        found = self.api("GET", "daas/sessions").json()["sessions"]
        return [one["name"] for one in found if one["state"] in ("starting", "running", "stopping", "unknown")]
