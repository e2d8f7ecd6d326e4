"""How a command finds a running hub, and what it prints when the hub cannot be asked (PS08).

What a hub answers is in tests/hub/test_operators.py.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from daas_hub.commands.main import main
from daas_hub.commands.running_hub import find_hub
from daas_hub.errors import ConfigurationError
from tests.stand_ins.certificates import certificate
from tests.stand_ins.running import running_beside

TOKEN = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "URL", "TOKEN_FILE", "CA_FILE"):
        monkeypatch.delenv(f"DAAS_HUB_{name}", raising=False)
    monkeypatch.setenv("DAAS_HUB_TOKEN", TOKEN)


def answering(status: int, text: str) -> web.Application:
    """Return a server that answers everything so: JSON, or a page."""
    kind = "text/html" if text.startswith("<") else "application/json"

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"token {TOKEN}"
        return web.Response(status=status, text=text, content_type=kind)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    yield "http://127.0.0.1:1"


CASES = {
    "nobody there": (0, "", 2, "no connection (Connection refused)", "systemctl status daas-hub"),
    "a wrong token": (
        403, '{"status": 403, "message": "Missing or invalid credentials."}',
        3, "does not accept the token for this: Missing or invalid credentials.", "DAAS_HUB_TOKEN",
    ),
    "another program": (404, "<p>hello", 3, "There is no hub at", "/hub."),
    "a page": (200, "<p>hello", 3, "a page instead of the API", "/hub."),
    "a list": (200, "[]", 2, "returned an unexpected answer", ""),
    "the proxy alone": (503, "<p>503", 2, "status 503", "log"),
    "an older hub": (404, '{"status": 404, "message": "Not Found"}', 2, "The hub refused: Not Found", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_hub_that_cannot_be_asked(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, text, state, words, remedy = CASES[case]
    with running_beside(answering(status, text)) if status else nobody() as url:
        assert main(["status", "--url", f"{url}/hub"]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert words in printed.err
        assert remedy in printed.err
        assert TOKEN not in printed.err
        # monitoring: a hub that is down is critical, a check that is wrong is unknown
        assert main(["check-nagios", "--url", f"{url}/hub"]) == state
        assert capsys.readouterr().out.startswith(f"DAAS_HUB {('', '', 'CRITICAL', 'UNKNOWN')[state]} - ")


def test_the_page_shows_the_definition_for_nagios() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "how-to" / "operate-from-the-command-line.md").read_text()
    definition = (root / "deploy" / "nagios" / "daas-hub-running.cfg").read_text()
    assert re.findall(r"```nagios\n(.*?)```", page, re.DOTALL) == [definition]


def test_a_certificate_has_to_be_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context, file = certificate(tmp_path, "127.0.0.1")
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"places": []})

    app = web.Application()
    app.router.add_get("/hub/api/daas/status", answer)
    with running_beside(app, context) as url:
        assert main(["capacity", "--url", f"{url}/hub"]) == 1
        printed = capsys.readouterr().err
        assert "an invalid certificate" in printed
        assert "--ca-file" in printed
        assert asked == []
        assert main(["capacity", "--json", "--url", f"{url}/hub/", "--ca-file", file]) == 0
        assert asked == ["/hub/api/daas/status"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://portal.facility.org/hub", "is not encrypted"),
        ("portal.facility.org", "is not the URL of a service"),
        ("https://me:secret@portal.facility.org/hub", "contains a user name or a password"),
    ],
)
def test_a_token_is_not_sent_to_every_address(url: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--url", url]) == 1
    assert words in capsys.readouterr().err


def test_without_a_configuration_or_a_token_it_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sessions", "--config", str(tmp_path / "none.py")]) == 1
    assert "DAAS_HUB_URL" in capsys.readouterr().err
    monkeypatch.delenv("DAAS_HUB_TOKEN")
    file = tmp_path / "jupyterhub_config.py"
    file.write_text("")
    assert main(["sessions", "--config", str(file)]) == 1
    assert "openssl rand -hex 32" in capsys.readouterr().err
    file.write_text("1 / 0")
    assert main(["sessions", "--config", str(file)]) == 1
    assert f"daas-hub check-config {file}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ("", "http://127.0.0.1:8081/hub"),
        ("c.JupyterHub.hub_bind_url = 'http://127.0.0.1:9002'\nc.JupyterHub.base_url = '/daas/'", "http://127.0.0.1:9002/daas/hub"),
        ("c.JupyterHub.hub_ip = '0.0.0.0'; c.JupyterHub.hub_port = 9003", "http://127.0.0.1:9003/hub"),
        ("c.JupyterHub.hub_bind_url = 'http://[::]:9004'", "http://[::1]:9004/hub"),
        ("c.JupyterHub.hub_bind_url = 'http://10.0.0.7:9005'\nc.JupyterHub.bind_url = 'http://:8000/x/'", "http://10.0.0.7:9005/x/hub"),
    ],
    ids=["default", "a prefix", "every address", "every address of IPv6", "another machine"],
)  # fmt: skip
def test_the_configuration_has_the_address(lines: str, address: str, tmp_path: Path) -> None:
    file = tmp_path / "jupyterhub_config.py"
    file.write_text(lines)
    assert find_hub(config=file, url="", token_file="", ca_file="").url == address


@pytest.mark.parametrize(
    "line", ["c.JupyterHub.hub_bind_url = 'http+unix://%2Frun%2Fhub.sock'", "c.JupyterHub.internal_ssl = True"]
)
def test_a_hub_that_only_its_sessions_reach_needs_an_address(line: str, tmp_path: Path) -> None:
    file = tmp_path / "jupyterhub_config.py"
    file.write_text(line)
    with pytest.raises(ConfigurationError) as refused:
        find_hub(config=file, url="", token_file="", ca_file="")
    assert "--url" in refused.value.remedy


def test_the_token_of_the_configuration_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file reads the environment after `configure(c)`, as `daas-hub init` writes it."""
    monkeypatch.delenv("DAAS_HUB_TOKEN")
    (tmp_path / "environment").write_text(f"DAAS_HUB_TOKEN={TOKEN}\n")
    (tmp_path / "environment").chmod(0o600)
    file = tmp_path / "jupyterhub_config.py"
    file.write_text(
        f"from daas_hub import configure, read_environment\nconfigure(c)\nread_environment('{tmp_path}/environment')\n"
    )
    found = find_hub(config=file, url="", token_file="", ca_file="")
    assert found.token == TOKEN
    assert TOKEN not in repr(found)
