"""oauthenticator's settings of requests: each is honoured by the portal's HTTP client, or refused in words."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from daas_hub.authenticators.oidc.http import TIMEOUT_S, HTTPSettings, ask, read_http_settings
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.errors import ConfigurationError, ErrorKind, SourceUnavailable
from tests.stand_ins.directory import make_certificates
from tests.stand_ins.running import running
from tests.stand_ins.web_proxy import running_web_proxy

SETTING = "UmbrellaAuthenticator.http_request_kwargs"
HOST = "login.facility.test"


def read(**wanted: Any) -> HTTPSettings:
    return read_http_settings(SETTING, wanted)


def provider(folder: Path, host: str, *, client_ca: str = "") -> tuple[web.Application, ssl.SSLContext]:
    """Return a provider with a certificate for `host`, which wants one of its visitors if `client_ca` is given."""
    make_certificates(folder, host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca or None)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED if client_ca else ssl.CERT_NONE

    async def document(_: web.Request) -> web.Response:
        return web.json_response({"issuer": "x"})

    app = web.Application()
    app.router.add_get("/{path:.*}", document)
    return app, context


def test_without_any_the_machines_own_are_used() -> None:
    assert read() == HTTPSettings(tls=None, timeout_s=TIMEOUT_S, proxy="")
    assert read(validate_cert=True) == read()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("connect_timeout", 5, "has no effect"),
        ("user_agent", "x", "has no effect"),
        ("headers", {"Authorization": "hush"}, "has no effect"),
        ("follow_redirects", True, "has no effect"),
        ("max_redirects", 3, "has no effect"),
        ("prepare_curl_callback", print, "has no effect"),
        ("request_timeout", "5", "wrong type"),
        ("request_timeout", True, "wrong type"),
        ("ssl_options", {"cert_reqs": 0}, "wrong type"),
        ("ca_certs", "/nowhere/ca.pem", "cannot be used"),
        ("client_cert", "/nowhere/cert.pem", "cannot be used"),
        ("proxy_host", "http://proxy:3128/x y", "host name"),
    ],
)
def test_what_cannot_be_honoured_is_refused(key: str, value: Any, words: str) -> None:
    """At the start, naming the key; its value may be a secret."""
    with pytest.raises(ConfigurationError, match=words) as told:
        read(**{key: value})
    assert key in told.value.setting
    assert told.value.remedy
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    "settings", [{}, {"validate_server_cert": False}, {"http_request_kwargs": {"request_timeout": 3}}]
)
def test_settings_of_the_authenticator(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> None:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    keys = {"oidc_issuer": "https://login.example.org", "client_id": "daas-hub"}
    method = UmbrellaAuthenticator(**keys, **settings).methods["openid"]
    assert isinstance(method, OIDCMethod)
    http = method.settings.http
    assert (http.tls is not None and http.tls.verify_mode is ssl.CERT_NONE) == ("validate_server_cert" in settings)
    assert http.timeout_s == (3.0 if "http_request_kwargs" in settings else TIMEOUT_S)
    with pytest.raises(ConfigurationError, match="has no effect") as told:
        UmbrellaAuthenticator(**keys, http_request_kwargs={"headers": {}})
    assert told.value.setting == f"{SETTING}['headers']"


@pytest.mark.parametrize(
    ("settings", "answers"),
    [
        pytest.param({}, False, id="an authority this machine does not know"),
        pytest.param({"ca_certs": "ca.pem"}, True, id="its authority"),
        pytest.param({"validate_cert": False}, True, id="no certificate is checked"),
        pytest.param({"validate_cert": False, "ca_certs": "ca.pem"}, True, id="both"),
    ],
)
async def test_certificates(tmp_path: Path, settings: dict[str, Any], answers: bool) -> None:
    app, context = provider(tmp_path, "127.0.0.1")
    if "ca_certs" in settings:
        settings = settings | {"ca_certs": str(tmp_path / settings["ca_certs"])}
    async with running(app, context) as url:
        if answers:
            assert (await ask(url, "x", http=read(**settings))).document == {"issuer": "x"}
            return
        with pytest.raises(SourceUnavailable) as told:
            await ask(url, "x", http=read(**settings))
    assert told.value.kind is ErrorKind.TLS_CERTIFICATE


async def test_a_certificate_of_the_portal(tmp_path: Path) -> None:
    """As mutual TLS wants it, by files or by a context."""
    (tmp_path / "portal").mkdir()
    (tmp_path / "provider").mkdir()
    make_certificates(tmp_path / "portal", "portal.facility.test")
    app, context = provider(tmp_path / "provider", "127.0.0.1", client_ca=str(tmp_path / "portal" / "ca.pem"))
    ca = str(tmp_path / "provider" / "ca.pem")
    mine = {name: str(tmp_path / "portal" / file) for name, file in
            (("client_cert", "server.pem"), ("client_key", "server.key"))}  # fmt: skip
    ours = ssl.create_default_context(cafile=ca)
    ours.load_cert_chain(mine["client_cert"], mine["client_key"])
    async with running(app, context) as url:
        assert (await ask(url, "x", http=read(ca_certs=ca, **mine))).status == 200
        assert (await ask(url, "x", http=read(ssl_options=ours))).status == 200
        with pytest.raises(SourceUnavailable):
            await ask(url, "x", http=read(ca_certs=ca))


async def test_a_proxy_of_their_own(tmp_path: Path) -> None:
    app, context = provider(tmp_path, HOST)
    async with running(app, context) as url, running_web_proxy(int(url[-5:].strip(":")), credentials="p:h@sh") as proxy:
        http = read(
            ca_certs=str(tmp_path / "ca.pem"),
            proxy_host="127.0.0.1",
            proxy_port=proxy.port,
            proxy_username="p",
            proxy_password="h@sh",
        )
        assert (await ask(f"https://{HOST}/x", "x", http=http)).document == {"issuer": "x"}
    assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"]
    assert "h@sh" not in repr(http)
    assert "h%40sh" not in repr(http)


def test_a_timeout_of_their_own() -> None:
    assert read(request_timeout=3).timeout_s == 3.0
