"""One OpenID provider over real HTTP: its discovery document and its keys (F8)."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import time
from typing import Any

import jwt
import pytest
from tornado import web

from daas_hub.authenticators.oidc.http import HTTPSettings
from daas_hub.authenticators.oidc.id_tokens import verify_id_token
from daas_hub.authenticators.oidc.provider import (
    DISCOVERY_KEPT_S,
    KEYS_AGAIN_S,
    KEYS_KEPT_S,
    OpenIDProvider,
    is_safe_url,
)
from daas_hub.authenticators.oidc.provider_config import ONLY, read_provider
from daas_hub.errors import ConfigurationError, ErrorKind, Refused, SourceUnavailable
from tests.authenticators.oidc.http_provider import CLIENT, NONCE, Clock, Provider
from tests.authenticators.oidc.keys import (
    JWK_EC,
    JWK_RSA,
    STRANGER,
    b64,
    hmac_signed,
    jwk,
    signed,
)

# -- keys ----------------------------------------------------------------------------------------------------------


async def test_without_a_key_id_the_only_key_is_meant(provider: Provider, client: OpenIDProvider) -> None:
    provider.keys = {"keys": [JWK_RSA]}
    assert await verify_id_token(client, signed(provider.claims(), kid=...), nonce=NONCE)


@pytest.mark.parametrize("use", ["enc", "tls", ""])
async def test_only_keys_for_signatures_are_used(provider: Provider, client: OpenIDProvider, use: str) -> None:
    provider.keys = {"keys": [JWK_RSA | {"use": use}]}
    with pytest.raises(Refused):
        await verify_id_token(client, provider.token(), nonce=NONCE)


async def test_a_published_shared_secret_signs_nothing(provider: Provider, client: OpenIDProvider) -> None:
    """F1: a provider that publishes an `oct` key by mistake has published a key everybody can sign with."""
    secret = b"0123456789abcdef0123456789abcdef"
    provider.keys = {"keys": [JWK_RSA, {"kty": "oct", "kid": "shared", "k": b64(secret), "use": "sig"}]}
    for alg in ("HS256", "RS256", "ES256"):
        with pytest.raises(Refused):
            await verify_id_token(client, hmac_signed(provider.claims(), secret, alg=alg, kid="shared"), nonce=NONCE)


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256"])
async def test_a_key_need_not_name_its_algorithm(provider: Provider, client: OpenIDProvider, alg: str) -> None:
    """`alg` of a key is optional (RFC 7517, 4.4): the algorithms this file accepts are accepted without it."""
    provider.keys = {"keys": [{name: value for name, value in JWK_RSA.items() if name != "alg"}]}
    assert await verify_id_token(client, signed(provider.claims(), alg=alg), nonce=NONCE)


async def test_new_keys_are_found_when_they_are_needed(
    provider: Provider, client: OpenIDProvider, clock: Clock
) -> None:
    """F8: rotation in mid flight."""
    await verify_id_token(client, provider.token(), nonce=NONCE)
    new = jwk(STRANGER, jwt.algorithms.RSAAlgorithm, kid="rsa-2", use="sig", alg="RS256")
    provider.keys = {"keys": [JWK_RSA, new]}
    clock.now += KEYS_AGAIN_S + 1
    assert await verify_id_token(client, signed(provider.claims(), key=STRANGER, kid="rsa-2"), nonce=NONCE)


async def test_unknown_keys_are_no_way_to_flood_the_provider(provider: Provider, client: OpenIDProvider) -> None:
    """F8: one question in half a minute, however many tokens come."""
    for number in range(50):
        with pytest.raises(Refused):
            await verify_id_token(client, signed(provider.claims(), kid=f"x{number}"), nonce=NONCE)
    assert provider.asked.count("/keys") == 1


async def test_known_keys_serve_while_the_provider_is_down(
    provider: Provider, client: OpenIDProvider, clock: Clock
) -> None:
    """F8."""
    token = provider.token()
    await verify_id_token(client, token, nonce=NONCE)
    provider.instead["/keys"] = lambda answer: answer.set_status(503)
    clock.now += KEYS_AGAIN_S + 1
    assert await verify_id_token(client, token, nonce=NONCE)


async def test_a_key_that_was_withdrawn_is_not_good_for_ever(
    provider: Provider, client: OpenIDProvider, clock: Clock
) -> None:
    """F8: cached keys are used until their time is over: a stolen key the provider withdrew must die here too."""
    token = provider.token()
    await verify_id_token(client, token, nonce=NONCE)
    provider.keys = {"keys": [JWK_EC]}
    clock.now += 24 * DISCOVERY_KEPT_S
    with pytest.raises(Refused):
        await verify_id_token(client, token, nonce=NONCE)


async def test_keys_that_could_not_be_read_are_not_called_a_forgery(provider: Provider, client: OpenIDProvider) -> None:
    """F8: within half a minute of a failed question the answer is still "not available", not "your login is false"."""
    provider.instead["/keys"] = lambda answer: answer.set_status(503)
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            await verify_id_token(client, provider.token(), nonce=NONCE)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({}, id="no keys"),
        pytest.param({"keys": []}, id="empty"),
        pytest.param({"keys": None}, id="null"),
        pytest.param({"keys": "rsa"}, id="text"),
        pytest.param({"keys": 7}, id="number"),
        pytest.param({"keys": ["rsa"]}, id="a list of text"),
        pytest.param({"keys": [{}]}, id="a key without a kind"),
        pytest.param({"keys": [{"kty": "RSA", "kid": "rsa-1", "n": "", "e": ""}]}, id="an RSA key of nothing"),
        pytest.param({"keys": [{"kty": "RSA", "kid": "rsa-1", "n": 7, "e": []}]}, id="an RSA key of wrong types"),
        pytest.param({"keys": [{"kty": ["RSA"], "kid": "rsa-1"}]}, id="a kind that is a list"),
        pytest.param(
            {"keys": [{"kty": "EC", "kid": "rsa-1", "crv": "P-256", "x": "AA", "y": "AA"}]}, id="a point off the curve"
        ),
        pytest.param([JWK_RSA], id="a list instead of an object"),
    ],
)
async def test_keys_that_are_none(provider: Provider, client: OpenIDProvider, keys: Any) -> None:
    """G2: refused or "not available", never a login and never an error nobody expected."""
    provider.keys = keys
    with pytest.raises((Refused, SourceUnavailable)):
        await verify_id_token(client, provider.token(), nonce=NONCE)


async def test_one_key_nobody_understands_does_not_spoil_the_others(provider: Provider, client: OpenIDProvider) -> None:
    provider.keys = {"keys": [{"kty": "AKP", "kid": "pq-1", "alg": "ML-DSA-44", "pub": "AA"}, JWK_RSA]}
    assert await verify_id_token(client, provider.token(), nonce=NONCE)


# -- the description -----------------------------------------------------------------------------------------------


async def test_the_description_is_read_once_an_hour(provider: Provider, client: OpenIDProvider, clock: Clock) -> None:
    endpoints = await client.endpoints()
    assert endpoints.keys == f"{provider.issuer}/keys"
    clock.now += DISCOVERY_KEPT_S
    await client.endpoints()
    assert len(provider.asked) == 1
    clock.now += 1
    await client.endpoints()
    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"issuer": "https://evil.example"}, id="F10 another issuer"),
        pytest.param({"issuer": None}, id="F10 no issuer"),
        pytest.param({"jwks_uri": "http://evil.example/keys"}, id="F10 keys over an open line"),
        pytest.param({"token_endpoint": "http://10.0.0.1/token"}, id="F10 tokens over an open line"),
        pytest.param({"authorization_endpoint": "javascript:alert(1)"}, id="F10 a script"),
        pytest.param({"userinfo_endpoint": "file:///etc/passwd"}, id="F10 a file"),
        pytest.param({"jwks_uri": "//127.0.0.1/keys"}, id="F10 no scheme"),
        pytest.param({"jwks_uri": "https://"}, id="F10 no host"),
        pytest.param({"jwks_uri": "https://[::1"}, id="F10 an address that cannot be read"),
        pytest.param({"jwks_uri": "http://127.0.0.1.evil.example/"}, id="F10 looks like this machine"),
        pytest.param({"jwks_uri": "http://127.0.0.1@evil.example/"}, id="F10 this machine as a user name"),
        pytest.param({"jwks_uri": ""}, id="empty"),
        pytest.param({"jwks_uri": 7}, id="a number"),
        pytest.param({"token_endpoint": ["https://x.example"]}, id="a list"),
        pytest.param({"userinfo_endpoint": ...}, id="missing"),
    ],
)
async def test_a_description_that_is_not_safe_is_refused(
    provider: Provider, client: OpenIDProvider, change: dict[str, Any]
) -> None:
    changed = copy.deepcopy(provider.discovery) | change
    provider.discovery = {name: value for name, value in changed.items() if value is not ...}
    with pytest.raises(SourceUnavailable):
        await client.endpoints()


def _bomb(answer: web.RequestHandler) -> None:
    answer.set_header("Content-Encoding", "gzip")
    answer.finish(gzip.compress(b" " * 20_000_000 + json.dumps({"padded": True}).encode()))


def _redirected(answer: web.RequestHandler) -> None:
    answer.redirect("/elsewhere")


async def _slowly(answer: web.RequestHandler) -> None:
    for _ in range(50):
        answer.write(" ")
        await answer.flush()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "instead",
    [
        pytest.param(lambda answer: answer.set_status(500), id="F5 500"),
        pytest.param(lambda answer: answer.set_status(429), id="G1 429"),
        pytest.param(lambda answer: answer.finish("<html>login</html>"), id="F5 a page"),
        pytest.param(lambda answer: answer.finish(""), id="G1 nothing"),
        pytest.param(lambda answer: answer.finish('{"issuer": "'), id="G1 half an answer"),
        pytest.param(lambda answer: answer.finish(b"\xff\xfe"), id="not UTF-8"),
        pytest.param(lambda answer: answer.finish("[]"), id="a list"),
        pytest.param(lambda answer: answer.finish("null"), id="null"),
        pytest.param(lambda answer: answer.finish("[" * 200_000), id="G1 nested"),
        pytest.param(lambda answer: answer.finish(b" " * 1_100_000 + b"{}"), id="F5 longer than a megabyte"),
        pytest.param(_bomb, id="G1 a small answer that unpacks to twenty megabytes"),
        pytest.param(_redirected, id="F5 a redirect"),
        pytest.param(_slowly, id="F5 a letter at a time"),
    ],
)
async def test_a_provider_that_does_not_answer(provider: Provider, clock: Clock, instead: Any) -> None:
    """F5, G1: a bounded "not available"; a redirect is not followed; no address or secret in the words."""
    client = OpenIDProvider(provider.issuer, CLIENT, http=HTTPSettings(timeout_s=0.5), clock=clock)
    provider.instead["/.well-known/openid-configuration"] = instead
    begun = time.monotonic()
    with pytest.raises(SourceUnavailable) as told:
        await client.endpoints()
    assert time.monotonic() - begun < 5
    assert "/elsewhere" not in provider.asked
    assert provider.issuer not in told.value.message
    del provider.instead["/.well-known/openid-configuration"]
    assert await client.endpoints(), "it heals by itself"


async def test_a_small_answer_cannot_unpack_into_memory(provider: Provider, client: OpenIDProvider) -> None:
    """G1, F5: the megabyte is counted unpacked: a good description behind twenty megabytes of blanks is not read."""

    def padded(answer: web.RequestHandler) -> None:
        answer.set_header("Content-Encoding", "gzip")
        answer.finish(gzip.compress(b" " * 20_000_000 + json.dumps(provider.discovery).encode()))

    provider.instead["/.well-known/openid-configuration"] = padded
    with pytest.raises(SourceUnavailable):
        await client.endpoints()


async def test_logins_at_once_wait_for_the_same_keys(provider: Provider, client: OpenIDProvider, clock: Clock) -> None:
    """At the first logins of a hub, and an hour later."""
    for _ in range(2):
        provider.asked.clear()
        found = await asyncio.gather(*(client.key("rsa-1", "RS256") for _ in range(5)))
        assert len(found) == 5
        assert provider.asked.count("/keys") == 1
        clock.now += KEYS_KEPT_S + 1


async def test_keys_that_cannot_be_had_are_asked_for_once(provider: Provider, client: OpenIDProvider) -> None:
    provider.instead["/keys"] = lambda answer: answer.set_status(500)
    found = await asyncio.gather(*(client.key("rsa-1", "RS256") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, SourceUnavailable) for one in found)
    assert provider.asked.count("/keys") == 1


async def test_a_provider_that_is_gone() -> None:
    with pytest.raises(SourceUnavailable, match="is not available") as told:
        await OpenIDProvider("http://127.0.0.1:9", CLIENT).endpoints()
    assert told.value.detail.startswith("login provider at 127.0.0.1:9: asked for its discovery document, got ")
    assert told.value.detail.endswith("no connection (Connection refused)")
    assert told.value.kind is ErrorKind.NO_CONNECTION


@pytest.mark.parametrize(
    ("status", "headers", "why"),
    [
        (503, {}, "status 503 (text/html)"),
        (302, {"Location": "https://sso.example.org/login?code=t0ken"}, "a redirect (302) to https://sso.example.org"),
        (307, {"Location": "/login?code=t0ken"}, "a redirect (307) to another path"),
        (301, {}, "a redirect (301) to another path"),
    ],
)
async def test_the_log_says_what_came_instead(
    provider: Provider, client: OpenIDProvider, status: int, headers: dict[str, str], why: str
) -> None:
    """For who is called at night: the host and the kind, and nothing of an address that might be a secret."""

    def says(answer: web.RequestHandler) -> None:
        answer.set_status(status)
        for name, value in headers.items():
            answer.set_header(name, value)
        answer.finish()

    provider.instead["/.well-known/openid-configuration"] = says
    with pytest.raises(SourceUnavailable) as told:
        await client.endpoints()
    assert told.value.detail.endswith(f", got {why}")
    assert "t0ken" not in f"{told.value}{told.value.detail}"
    assert why not in str(told.value), "people read the sentence alone"


# -- the issuer ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://login.example.org", True),
        ("https://login.example.org:8443/realms/users", True),
        ("http://127.0.0.1:8001", True),
        ("http://localhost:8001", True),
        ("http://[::1]:8001", True),
        ("http://login.example.org", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://127.1", False),
        ("http://0.0.0.0:8001", False),
        ("ftp://127.0.0.1", False),
        ("login.example.org", False),
        ("https:login.example.org", False),
        ("https:///realms", False),
        ("https://[", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_addresses_that_may_be_used(url: str, safe: bool) -> None:
    """E11."""
    assert is_safe_url(url) is safe
    keys = {"issuer": url, "client_id": CLIENT}
    if safe:
        assert read_provider("UmbrellaAuthenticator", ONLY, keys).issuer == url
    else:
        with pytest.raises(ConfigurationError, match="oidc_issuer"):
            read_provider("UmbrellaAuthenticator", ONLY, keys)
