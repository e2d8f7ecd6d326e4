"""`daas-hub proxy`: the proxy that the hub of the same configuration expects, or a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.commands.main import main
from daas_hub.commands.proxy import proxy_argv, proxy_guard
from daas_hub.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _no_hub_yet() -> Any:
    """Let each test have a JupyterHub of its own configuration."""
    from jupyterhub.app import JupyterHub

    JupyterHub.clear_instance()
    yield
    JupyterHub.clear_instance()


def config(hub: dict[str, Any], proxy: dict[str, Any]) -> Config:
    """Return a configuration whose hub starts no proxy itself."""
    own = {"should_start": False, "command": ["/usr/bin/chp"]} | proxy
    return Config({"JupyterHub": hub, "ConfigurableHTTPProxy": own})


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "nothing set": (
        {}, {},
        "--ip  --port 8000 --api-ip 127.0.0.1 --api-port 8001 --error-target http://127.0.0.1:8081/hub/error "
        "--log-level warn",
    ),
    "a path, other ports": (
        {"bind_url": "http://127.0.0.1:9000/daas/", "hub_bind_url": "http://127.0.0.1:9002"},
        {"api_url": "http://127.0.0.1:9001", "log_level": "error"},
        "--ip 127.0.0.1 --port 9000 --api-ip 127.0.0.1 --api-port 9001 "
        "--error-target http://127.0.0.1:9002/daas/hub/error --log-level error",
    ),
    "the hub by its port": (
        {"bind_url": "http://127.0.0.1:8000", "hub_port": 9002}, {},
        "--ip 127.0.0.1 --port 8000 --api-ip 127.0.0.1 --api-port 8001 "
        "--error-target http://127.0.0.1:9002/hub/error --log-level warn",
    ),
    "a domain for each person": (
        {"bind_url": "http://127.0.0.1:8000", "subdomain_host": "https://daas.facility.org"}, {},
        "--ip 127.0.0.1 --port 8000 --api-ip 127.0.0.1 --api-port 8001 "
        "--error-target http://127.0.0.1:8081/hub/error --log-level warn --host-routing",
    ),
    "TLS of its own": (
        {"bind_url": "https://127.0.0.1:8000", "ssl_key": "/k", "ssl_cert": "/c"}, {},
        "--ip 127.0.0.1 --port 8000 --api-ip 127.0.0.1 --api-port 8001 "
        "--error-target http://127.0.0.1:8081/hub/error --log-level warn --ssl-key /k --ssl-cert /c",
    ),
    "an API on a socket": (
        {"bind_url": "http://127.0.0.1:8000"}, {"api_url": "http+unix://%2Frun%2Fproxy.sock"},
        "--ip 127.0.0.1 --port 8000 --api-socket /run/proxy.sock "
        "--error-target http://127.0.0.1:8081/hub/error --log-level warn",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_command(name: str) -> None:
    hub, proxy, wanted = CASES[name]
    assert proxy_argv(config(hub, proxy)) == ["/usr/bin/chp", *wanted.split(" ")]


def test_the_proxy_beside_this_program_is_found() -> None:
    own = config({}, {})
    del own.ConfigurableHTTPProxy["command"]
    _, option, guard, script, *_ = proxy_argv(own)
    assert (option, guard.rpartition("/")[2]) == ("--import", "proxy_guard.mjs")
    assert script.endswith("/configurable-http-proxy/bin/configurable-http-proxy")


@pytest.mark.parametrize("should_start", [{}, {"should_start": True}], ids=["by default", "set"])
def test_a_hub_that_starts_a_proxy_itself_needs_none(should_start: dict[str, Any]) -> None:
    """Two proxies would fight for the port."""
    with pytest.raises(ConfigurationError, match="should_start = True: the hub starts a proxy itself"):
        proxy_argv(Config({"ConfigurableHTTPProxy": should_start}))


def test_without_a_token_nobody_could_change_a_route(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CONFIGPROXY_AUTH_TOKEN", raising=False)
    file = tmp_path / "jupyterhub_config.py"
    file.write_text("c.ConfigurableHTTPProxy.should_start = False\n")
    assert main(["proxy", str(file)]) == 1
    assert "CONFIGPROXY_AUTH_TOKEN" in capsys.readouterr().err


def test_a_missing_file_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxy", str(tmp_path / "none.py")]) == 1
    said = capsys.readouterr().err
    assert "none.py" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("settings", "sign_in"),
    [
        ({}, "/hub/proxy_login"),
        ({"base_url": "/daas/"}, "/daas/hub/proxy_login"),
        ({"bind_url": "http://127.0.0.1:8000/daas/"}, "/daas/hub/proxy_login"),
        ({"bind_url": "http://127.0.0.1:8000/data/analysis"}, "/data/analysis/hub/proxy_login"),
    ],
)
def test_the_guard_knows_the_hubs_path_wherever_it_is_set(settings: dict[str, str], sign_in: str) -> None:
    """Elsewhere the web server's proof is removed: nobody could sign in."""
    config = Config()
    config.JupyterHub.update(settings)
    config.UmbrellaAuthenticator.trusted_proxy = {"proof_header": "X-Proof"}
    guard = proxy_guard(config)
    assert guard["DAAS_GUARD_SIGN_IN"] == sign_in
    assert "X-Proof" in guard["DAAS_GUARD_HEADERS"]
