"""Services that are reached through the machine's web proxy, with a real one on loopback; and what stays direct."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yarl
from aiohttp import web

from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.services.http import Service
from daas_hub.services.web_proxy import proxy_for
from tests.stand_ins.directory import make_certificates
from tests.stand_ins.running import running
from tests.stand_ins.web_proxy import WebProxy, running_web_proxy

HOST = "catalogue.facility.test"
VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Begin without a proxy, whatever this machine has."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


class Catalogue:
    """A service; it keeps the headers of what it was asked."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        return web.json_response({"path": request.raw_path, "host": request.host})


@pytest.fixture
async def plain() -> AsyncIterator[tuple[Catalogue, int]]:
    catalogue = Catalogue()
    async with running(catalogue.app()) as url:
        yield catalogue, int(urlsplit(url).port or 0)


@pytest.fixture
async def encrypted(tmp_path: Path) -> AsyncIterator[tuple[Catalogue, int, ssl.SSLContext]]:
    make_certificates(tmp_path, HOST)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    catalogue = Catalogue()
    async with running(catalogue.app(), context) as url:
        yield catalogue, int(urlsplit(url).port or 0), ssl.create_default_context(cafile=tmp_path / "ca.pem")


async def get(url: str, *, tls: ssl.SSLContext | None = None, proxy: str = "", **headers: str) -> dict[str, str]:
    service = Service("catalogue", "The data catalogue", url, timeout_s=30, tls=tls, proxy=proxy)
    async with service.client() as client:
        found: dict[str, str] = client.require(await client.get(f"{url}/a%2Fb", "a list", headers=headers), dict)
    return found


async def test_https_goes_through_a_tunnel(
    encrypted: tuple[Catalogue, int, ssl.SSLContext], environment: pytest.MonkeyPatch
) -> None:
    """The proxy sees the host, and nothing that is said to it; the certificate is the service's."""
    catalogue, port, tls = encrypted
    async with running_web_proxy(port) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)
        said = await get(f"https://{HOST}", tls=tls, Authorization="Basic c2VjcmV0")
    assert said == {"path": "/a%2Fb", "host": HOST}
    assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"]
    assert "authorization" not in proxy.heads[0]
    assert [one["Authorization"] for one in catalogue.headers] == ["Basic c2VjcmV0"]


async def test_a_tunnel_to_somebody_else_is_noticed(
    encrypted: tuple[Catalogue, int, ssl.SSLContext], environment: pytest.MonkeyPatch
) -> None:
    catalogue, port, tls = encrypted
    async with running_web_proxy(port) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(SourceUnavailable) as told:
            await get("https://other.facility.test", tls=tls)
    assert told.value.kind is ErrorKind.TLS_CERTIFICATE
    assert catalogue.headers == []


async def test_http_is_forwarded(plain: tuple[Catalogue, int], environment: pytest.MonkeyPatch) -> None:
    async with running_web_proxy(plain[1]) as proxy:
        environment.setenv("http_proxy", proxy.url)
        assert await get(f"http://{HOST}") == {"path": "/a%2Fb", "host": HOST}
    assert proxy.asked == [f"GET http://{HOST}/a%2Fb HTTP/1.1"]


@pytest.mark.parametrize("no_proxy", [HOST, ".facility.test", "*", f"x.test, {HOST}"])
async def test_hosts_of_no_proxy_are_reached_directly(
    plain: tuple[Catalogue, int], environment: pytest.MonkeyPatch, no_proxy: str
) -> None:
    async with running_web_proxy(plain[1]) as proxy:
        environment.setenv("HTTP_PROXY", proxy.url)
        environment.setenv("NO_PROXY", no_proxy)
        with pytest.raises(SourceUnavailable) as told:
            await get(f"http://{HOST}")
    assert told.value.kind in (ErrorKind.DNS, ErrorKind.TIMEOUT), "no machine has this name"
    assert proxy.asked == []


async def test_this_machine_is_never_reached_through_a_proxy(
    plain: tuple[Catalogue, int], environment: pytest.MonkeyPatch
) -> None:
    """What is said to it is not encrypted, and must not leave it."""
    async with running_web_proxy(plain[1]) as proxy:
        for name in VARIABLES[:2]:
            environment.setenv(name, proxy.url)
        assert (await get(f"http://127.0.0.1:{plain[1]}"))["path"] == "/a%2Fb"
    assert proxy.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_with_a_password(
    plain: tuple[Catalogue, int],
    encrypted: tuple[Catalogue, int, ssl.SSLContext],
    environment: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    """The proxy gets it, the service does not."""
    catalogue, port = plain if scheme == "http" else encrypted[:2]
    async with running_web_proxy(port, credentials="portal:hush") as proxy:
        environment.setenv(f"{scheme}_proxy", proxy.url)
        assert (await get(f"{scheme}://{HOST}", tls=encrypted[2]))["host"] == HOST
    assert len(proxy.asked) == 1
    if scheme == "https":
        assert "Proxy-Authorization" not in catalogue.headers[0]
    assert "Authorization" not in catalogue.headers[0]


@pytest.mark.parametrize(
    ("how", "words"),
    [("refuses", "status 403"), ("wants a password", "status 407"), ("is gone", "no connection")],
)
async def test_a_proxy_that_does_not_help(environment: pytest.MonkeyPatch, how: str, words: str) -> None:
    async with running_web_proxy(9, credentials="a:b" * (how == "wants a password"), refuses=how == "refuses") as proxy:
        port = 9 if how == "is gone" else proxy.port
        environment.setenv("HTTPS_PROXY", f"http://portal:hush@127.0.0.1:{port}")
        with pytest.raises(SourceUnavailable) as told:
            await get(f"https://{HOST}")
    assert told.value.kind is ErrorKind.WEB_PROXY
    assert words in told.value.detail
    assert "hush" not in f"{told.value}{told.value.detail}"


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:9", "nothing at all", "ftp://127.0.0.1:9", "http://[::1"])
async def test_a_proxy_that_is_none(environment: pytest.MonkeyPatch, address: str) -> None:
    environment.setenv("HTTPS_PROXY", address)
    with pytest.raises(SourceUnavailable) as told:
        await get(f"https://{HOST}")
    assert told.value.kind is ErrorKind.WEB_PROXY


async def test_passwords_of_netrc_are_not_sent(
    plain: tuple[Catalogue, int], environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither to a service nor to a proxy: who may use them is not the portal."""
    (tmp_path / ".netrc").write_text(
        f"machine {HOST} login anna password hush\nmachine 127.0.0.1 login anna password hush\n"
    )
    (tmp_path / ".netrc").chmod(0o600)
    environment.setenv("HOME", str(tmp_path))
    environment.setenv("NETRC", str(tmp_path / ".netrc"))
    async with running_web_proxy(plain[1]) as proxy:
        environment.setenv("HTTP_PROXY", proxy.url)
        await get(f"http://{HOST}")
        await get(f"http://127.0.0.1:{plain[1]}")
    assert len(plain[0].headers) == 2
    assert not [one for one in plain[0].headers if "Authorization" in one]
    assert "authorization" not in proxy.heads[0]


async def test_a_proxy_of_the_service_goes_before_the_environments(
    plain: tuple[Catalogue, int], environment: pytest.MonkeyPatch
) -> None:
    async with running_web_proxy(plain[1]) as proxy, running_web_proxy(9) as other:
        environment.setenv("HTTP_PROXY", other.url)
        assert (await get(f"http://{HOST}", proxy=proxy.url))["host"] == HOST
    assert (len(proxy.asked), other.asked) == (1, [])


async def test_a_proxy_that_hangs_is_given_up(environment: pytest.MonkeyPatch) -> None:
    # the kernel accepts connections, and nobody answers them
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.getsockname()[1]}")
        service = Service("catalogue", "The data catalogue", f"https://{HOST}", timeout_s=0.3)
        with pytest.raises(SourceUnavailable) as told:
            async with service.client() as client:
                await client.get(f"https://{HOST}", "a list")
    assert told.value.kind is ErrorKind.TIMEOUT


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("https://catalogue.facility.test/x", True),
        ("http://catalogue.facility.test/x", False),
        ("https://localhost/x", False),
        ("https://127.0.0.1/x", False),
        ("https://[::1]/x", False),
        ("https://localhost.facility.test/x", True),
    ],
)
def test_which_addresses_have_a_proxy(environment: pytest.MonkeyPatch, url: str, proxied: bool) -> None:
    environment.setenv("HTTPS_PROXY", "http://proxy.facility.test:3128")
    assert (proxy_for(yarl.URL(url)) is not None) is proxied


def test_the_stand_in_says_where_it_is() -> None:
    assert WebProxy(1, "a:b", port=3128).url == "http://a:b@127.0.0.1:3128"
