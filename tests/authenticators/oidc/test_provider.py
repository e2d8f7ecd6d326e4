"""One OpenID provider over real HTTP: its description, its keys, and a table of id_tokens that are not accepted.

F1, F2, F3, F5, F8 and F10 of the threat model. The walk of a whole login is tests/hub.
"""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from daas_hub.authenticators.oidc.http import HTTPSettings
from daas_hub.authenticators.oidc.provider import (
    DISCOVERY_KEPT_S,
    KEYS_AGAIN_S,
    LEEWAY_S,
    MAX_TOKEN_BYTES,
    OpenIDProvider,
    is_safe_url,
)
from daas_hub.authenticators.oidc.provider_config import ONLY, read_provider
from daas_hub.errors import ConfigurationError, ErrorKind, Refused, SourceUnavailable
from tests.authenticators.oidc.keys import (
    EC,
    ED,
    JWK_EC,
    JWK_ED,
    JWK_RSA,
    RSA_PEM,
    STRANGER,
    STRANGER_EC,
    b64,
    hmac_signed,
    jwk,
    sign_raw,
    signed,
)

CLIENT = "daas-hub"
NONCE = "nonce-of-this-login"


class Provider:
    """An OpenID provider on this machine; each test says what it answers."""

    def __init__(self) -> None:
        self.server = HTTPServer(web.Application([("/.*", self._handler())]))
        sockets = bind_sockets(0, "127.0.0.1")
        self.server.add_sockets(sockets)
        self.issuer = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        self.discovery: Any = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
        }
        self.keys: Any = {"keys": [JWK_RSA, JWK_EC, JWK_ED]}
        #: path -> an answer that replaces the right one
        self.instead: dict[str, Callable[[web.RequestHandler], Any]] = {}
        self.asked: list[str] = []

    def _handler(provider) -> type[web.RequestHandler]:  # noqa: N805  # the handler's own self is another
        class Answer(web.RequestHandler):
            async def get(self) -> None:
                path = self.request.path
                provider.asked.append(path)
                if path in provider.instead:
                    waiting = provider.instead[path](self)
                    if waiting is not None:
                        await waiting
                elif path == "/.well-known/openid-configuration":
                    self.finish(json.dumps(provider.discovery))
                elif path == "/keys":
                    self.finish(json.dumps(provider.keys))
                else:
                    self.set_status(404)

        return Answer

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return good claims with changes; a change to `...` takes a claim away."""
        now = int(time.time())
        good = {"iss": self.issuer, "sub": "anna", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": NONCE}
        return {name: value for name, value in (good | changes).items() if value is not ...}

    def token(self, **changes: Any) -> str:
        return signed(self.claims(**changes))


class Clock:
    """A clock that goes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.stop()
    await provider.server.close_all_connections()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(provider: Provider, clock: Clock) -> OpenIDProvider:
    return OpenIDProvider(provider.issuer, CLIENT, clock=clock)


# -- tokens that hold ----------------------------------------------------------------------------------------------

GOOD: dict[str, Callable[[Provider], str]] = {
    "RSA": lambda p: p.token(),
    "EC": lambda p: signed(p.claims(), alg="ES256", key=EC, kid="ec-1"),
    "Ed25519": lambda p: signed(p.claims(), alg="EdDSA", key=ED, kid="ed-1"),
    "one audience in a list": lambda p: p.token(aud=[CLIENT]),
    "several audiences and an authorised party": lambda p: p.token(aud=["other", CLIENT], azp=CLIENT),
    "expired within the leeway": lambda p: p.token(exp=int(time.time()) - LEEWAY_S + 20),
    "F11 issued by a clock that is a little fast": lambda p: p.token(iat=int(time.time()) + LEEWAY_S - 20),
    "longest subject": lambda p: p.token(sub="a" * 255),
    "a subject with accents and blanks": lambda p: p.token(sub="Anna Ångström"),
    "F1 header addresses are not looked at": lambda p: signed(p.claims(), jku="http://evil.example", x5u="http://e.x"),
    "further claims": lambda p: p.token(email="x@y", groups=["a"] * 100),
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_token_gives_its_claims(provider: Provider, client: OpenIDProvider, name: str) -> None:
    claims = await client.verify(GOOD[name](provider), nonce=NONCE)
    assert claims["iss"] == provider.issuer
    assert set(provider.asked) == {"/.well-known/openid-configuration", "/keys"}, "F1: nothing else was fetched"


# -- tokens that do not --------------------------------------------------------------------------------------------


def _swap_payload(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{b64(json.dumps(claims))}.{signature}"


def _late() -> int:
    return int(time.time()) - LEEWAY_S - 30


def _early() -> int:
    return int(time.time()) + LEEWAY_S + 30


BAD: dict[str, Callable[[Provider], Any]] = {
    # the algorithm
    **{
        f"F1 alg {alg!r}, no signature": lambda p, alg=alg: signed(p.claims(), alg=alg).rpartition(".")[0] + "."
        for alg in ("none", "None", "NONE", "nOnE", "", " none", "none ")
    },
    **{
        f"F1 alg {alg!r}, signed": lambda p, alg=alg: signed(p.claims(), alg=alg)
        for alg in (
            "none",
            "",
            "rs256",
            "RS256 ",
            "HS256",
            "RS1",
            "ES256K",
            "dir",
            None,
            7,
            True,
            ["RS256"],
            {"a": 1},
            ...,
        )
    },
    "F1 HS256 with the public key": lambda p: hmac_signed(p.claims(), RSA_PEM),
    "F1 HS256 with the public key, no key id": lambda p: hmac_signed(p.claims(), RSA_PEM, kid=None),
    "F1 HS256 with the key's description": lambda p: hmac_signed(p.claims(), json.dumps(JWK_RSA).encode()),
    "F1 HS256 with the client's name": lambda p: hmac_signed(p.claims(), CLIENT.encode()),
    "F1 HS256 with nothing": lambda p: hmac_signed(p.claims(), b""),
    "F1 HMAC that says RS256": lambda p: hmac_signed(p.claims(), RSA_PEM, alg="RS256"),
    "F1 ES256 of an RSA key": lambda p: signed(p.claims(), alg="ES256", key=EC),
    "F1 RS256 of an EC key": lambda p: signed(p.claims(), kid="ec-1"),
    "F1 ES256, a signature of zeros": lambda p: (
        signed(p.claims(), alg="ES256", key=EC, kid="ec-1").rpartition(".")[0] + "." + b64(bytes(64))
    ),
    "F1 ES256, an empty signature": lambda p: (
        signed(p.claims(), alg="ES256", key=EC, kid="ec-1").rpartition(".")[0] + "."
    ),
    "F1 crit": lambda p: signed(p.claims(), crit=["exp"]),
    "F1 crit, empty": lambda p: signed(p.claims(), crit=[]),
    "F1 crit with b64": lambda p: signed(p.claims(), crit=["b64"], b64=False),
    "F1 b64 without crit": lambda p: signed(p.claims(), b64=False),
    # the key
    "F1 another key of the same kind": lambda p: signed(p.claims(), key=STRANGER),
    "F1 another EC key": lambda p: signed(p.claims(), alg="ES256", key=STRANGER_EC, kid="ec-1"),
    "F1 unknown key id": lambda p: signed(p.claims(), kid="rsa-2"),
    "F1 key id in capitals": lambda p: signed(p.claims(), kid="RSA-1"),
    "F1 empty key id": lambda p: signed(p.claims(), kid=""),
    "F1 no key id while there are several keys": lambda p: signed(p.claims(), kid=...),
    "F1 key id null while there are several keys": lambda p: signed(p.claims(), kid=None),
    "F1 key id is a number": lambda p: signed(p.claims(), kid=0),
    "F1 key id is a list": lambda p: signed(p.claims(), kid=["rsa-1"]),
    "F1 key id is a path": lambda p: signed(p.claims(), kid="../../dev/null"),
    "F1 key in the header": lambda p: signed(
        p.claims(), key=STRANGER, kid="mine", jwk=jwk(STRANGER, jwt.algorithms.RSAAlgorithm, kid="mine")
    ),
    "F1 address of a key in the header": lambda p: signed(p.claims(), key=STRANGER, kid="x", jku=f"{p.issuer}/evil"),
    "F1 certificate in the header": lambda p: signed(p.claims(), key=STRANGER, x5c=["MIIB"]),
    # the shape
    "F1 truncated": lambda p: p.token()[:-5],
    "F1 a letter of the signature changed": lambda p: (
        p.token()[:-10] + ("A" if p.token()[-10] != "A" else "B") + "A" * 9
    ),
    "F1 no signature": lambda p: p.token().rpartition(".")[0] + ".",
    "F1 claims of another token": lambda p: _swap_payload(p.token(), p.claims(sub="ben")),
    "F1 two parts": lambda p: p.token().rpartition(".")[0],
    "F1 four parts": lambda p: p.token() + ".x",
    "F1 an extra dot at the start": lambda p: "." + p.token(),
    "F1 an extra dot at the end": lambda p: p.token() + ".",
    "F1 only dots": lambda p: "..",
    "F1 encrypted (five parts)": lambda p: ".".join([b64('{"alg":"RSA-OAEP","enc":"A256GCM"}'), "a", "b", "c", "d"]),
    "F1 nested": lambda p: signed(json.dumps(p.token()), cty="JWT"),
    "F1 too long": lambda p: signed(p.claims(x="y" * MAX_TOKEN_BYTES)),
    "F1 a megabyte": lambda p: "a" * 1_000_000,
    "F1 a megabyte of dots": lambda p: "." * 1_000_000,
    "F1 blank in front": lambda p: " " + p.token(),
    "F1 newline behind": lambda p: p.token() + "\n",
    "F1 NUL": lambda p: p.token() + "\0",
    "F1 not ASCII": lambda p: "é" + p.token(),
    "F1 half a surrogate": lambda p: "\ud800" + p.token(),
    "F1 header is no JSON": lambda p: sign_raw(b64("{"), b64(json.dumps(p.claims()))),
    "F1 header is a list": lambda p: sign_raw(b64("[]"), b64(json.dumps(p.claims()))),
    "F1 header is not UTF-8": lambda p: sign_raw(b64(b"\xff"), b64(json.dumps(p.claims()))),
    "G1 header nested ten thousand deep": lambda p: sign_raw(b64("[" * 10_000), b64(json.dumps(p.claims()))),
    "F1 claims are a list": lambda p: signed([p.claims()]),
    "F1 claims are text": lambda p: signed('"anna"'),
    "F1 claims are no JSON": lambda p: signed("{"),
    "G1 claims nested ten thousand deep": lambda p: signed("[" * 10_000),
    "empty": lambda p: "",
    "nothing": lambda p: None,
    "bytes": lambda p: p.token().encode(),
    "a list": lambda p: [p.token()],
    "a mapping": lambda p: p.claims(),
    # who says it
    "F2 another issuer": lambda p: p.token(iss="https://evil.example"),
    "F2 issuer with a slash": lambda p: p.token(iss=p.issuer + "/"),
    "F2 issuer in capitals": lambda p: p.token(iss=p.issuer.upper()),
    "F2 issuer is part of ours": lambda p: p.token(iss=p.issuer[:-1]),
    "F2 ours is part of the issuer": lambda p: p.token(iss=p.issuer + ".evil.example"),
    "F2 issuer by name": lambda p: p.token(iss=p.issuer.replace("127.0.0.1", "localhost")),
    "F2 issuer in a list": lambda p: p.token(iss=[p.issuer]),
    "F2 no issuer": lambda p: p.token(iss=...),
    "F2 issuer null": lambda p: p.token(iss=None),
    # for whom
    "F2 another audience": lambda p: p.token(aud="other"),
    "F2 audience in capitals": lambda p: p.token(aud=CLIENT.upper()),
    "F2 audience begins like ours": lambda p: p.token(aud=CLIENT + "-2"),
    "F2 empty list of audiences": lambda p: p.token(aud=[]),
    "F2 several audiences, no authorised party": lambda p: p.token(aud=[CLIENT, "other"]),
    "F2 several audiences, another authorised party": lambda p: p.token(aud=[CLIENT, "other"], azp="other"),
    "F2 ours, but made for another": lambda p: p.token(azp="other"),
    "F2 authorised party null": lambda p: p.token(azp=None),
    "F2 authorised party in a list": lambda p: p.token(azp=[CLIENT]),
    "F2 only an authorised party": lambda p: p.token(aud="other", azp=CLIENT),
    "F2 audience is a mapping": lambda p: p.token(aud={CLIENT: True}),
    "F2 audiences of mixed kinds": lambda p: p.token(aud=[CLIENT, 7], azp=CLIENT),
    "F2 no audience": lambda p: p.token(aud=...),
    "F2 audience null": lambda p: p.token(aud=None),
    # when
    "F2 expired": lambda p: p.token(exp=_late()),
    "F2 expired a year ago": lambda p: p.token(exp=int(time.time()) - 31_536_000),
    "F2 exp is text": lambda p: p.token(exp=str(int(time.time()) + 300)),
    "F2 exp is words": lambda p: p.token(exp="tomorrow"),
    "F2 exp is true": lambda p: p.token(exp=True),
    "F2 exp is a list": lambda p: p.token(exp=[int(time.time()) + 300]),
    "F2 exp is infinite": lambda p: p.token(exp=float("inf")),
    "F2 exp is not a number": lambda p: p.token(exp=float("nan")),
    "F2 exp null": lambda p: p.token(exp=None),
    "F2 no exp": lambda p: p.token(exp=...),
    "F2 exp zero": lambda p: p.token(exp=0),
    "F2 not valid before later": lambda p: p.token(nbf=_early()),
    "F2 nbf is words": lambda p: p.token(nbf="now"),
    "F2 nbf is text": lambda p: p.token(nbf=str(int(time.time()) - 10)),
    "F2 issued in the future": lambda p: p.token(iat=_early()),
    "F2 issued in a thousand years": lambda p: p.token(iat=int(time.time()) + 31_536_000_000),
    "F2 iat is text": lambda p: p.token(iat=str(int(time.time()))),
    "F2 iat is infinite": lambda p: p.token(iat=float("-inf")),
    "F2 iat null": lambda p: p.token(iat=None),
    "F2 no iat": lambda p: p.token(iat=...),
    # for which login
    "F3 another nonce": lambda p: p.token(nonce="nonce-of-another-login"),
    "F3 no nonce": lambda p: p.token(nonce=...),
    "F3 nonce null": lambda p: p.token(nonce=None),
    "F3 empty nonce": lambda p: p.token(nonce=""),
    "F3 nonce in a list": lambda p: p.token(nonce=[NONCE]),
    "F3 nonce in capitals": lambda p: p.token(nonce=NONCE.upper()),
    # who
    "no subject": lambda p: p.token(sub=...),
    "subject null": lambda p: p.token(sub=None),
    "empty subject": lambda p: p.token(sub=""),
    "subject is a number": lambda p: p.token(sub=7),
    "subject is a list": lambda p: p.token(sub=["anna"]),
    "subject too long": lambda p: p.token(sub="a" * 256),
    "A2 subject with NUL": lambda p: p.token(sub="anna\0"),
    "A2 subject with a newline": lambda p: p.token(sub="anna\nben"),
    "A2 subject with an override": lambda p: p.token(sub="\u202eanna"),
}


def test_the_table_is_long_enough() -> None:
    assert len(BAD) >= 60


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_refused(provider: Provider, client: OpenIDProvider, name: str) -> None:
    token = BAD[name](provider)
    with pytest.raises(Refused) as refused:
        await client.verify(token, nonce=NONCE)
    shown = str(refused.value)
    assert len(shown) < 300
    assert shown.isprintable()
    assert not any(part in shown for part in str(token).split(".") if len(part) > 8), "nothing of a token in a text"
    assert set(provider.asked) <= {"/.well-known/openid-configuration", "/keys"}, "F1: no address of a token is fetched"


async def test_every_changed_letter_is_noticed(provider: Provider, client: OpenIDProvider) -> None:
    """F1: one bit anywhere, all along the token."""
    token = provider.token()
    await client.verify(token, nonce=NONCE)
    for place in range(0, len(token), 7):
        if token[place] != ".":
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            with pytest.raises(Refused):
                await client.verify(changed, nonce=NONCE)


async def test_a_refresh_carries_no_nonce_but_everything_else(provider: Provider, client: OpenIDProvider) -> None:
    assert await client.verify(provider.token(nonce=...), nonce=None)
    with pytest.raises(Refused):
        await client.verify(provider.token(nonce=..., aud="other"), nonce=None)


header_values = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "cty", "zip", "enc", "jwk", "jku", "x5c"]), header_values),
    st.dictionaries(st.sampled_from(["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "jti"]), header_values),
)
def test_any_header_and_claims_signed_by_a_stranger_are_refused(header: Any, claims: Any) -> None:
    """Fuzz: whatever it says, it is refused in words; a provider that is not asked cannot help it."""

    async def ask() -> None:
        provider = OpenIDProvider("http://127.0.0.1:9", CLIENT, clock=Clock())
        provider._keys = {key["kid"]: jwt.PyJWK(key) for key in (JWK_RSA, JWK_EC)}
        provider._keys_read = Clock.now
        head, payload = b64(json.dumps(header)), b64(json.dumps(claims))
        with pytest.raises(Refused):
            await provider.verify(sign_raw(head, payload, key=STRANGER), nonce=NONCE)

    asyncio.run(ask())


# -- keys ----------------------------------------------------------------------------------------------------------


async def test_without_a_key_id_the_only_key_is_meant(provider: Provider, client: OpenIDProvider) -> None:
    provider.keys = {"keys": [JWK_RSA]}
    assert await client.verify(signed(provider.claims(), kid=...), nonce=NONCE)


@pytest.mark.parametrize("use", ["enc", "tls", ""])
async def test_only_keys_for_signatures_are_used(provider: Provider, client: OpenIDProvider, use: str) -> None:
    provider.keys = {"keys": [JWK_RSA | {"use": use}]}
    with pytest.raises(Refused):
        await client.verify(provider.token(), nonce=NONCE)


async def test_a_published_shared_secret_signs_nothing(provider: Provider, client: OpenIDProvider) -> None:
    """F1: a provider that publishes an `oct` key by mistake has published a key everybody can sign with."""
    secret = b"0123456789abcdef0123456789abcdef"
    provider.keys = {"keys": [JWK_RSA, {"kty": "oct", "kid": "shared", "k": b64(secret), "use": "sig"}]}
    for alg in ("HS256", "RS256", "ES256"):
        with pytest.raises(Refused):
            await client.verify(hmac_signed(provider.claims(), secret, alg=alg, kid="shared"), nonce=NONCE)


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256"])
async def test_a_key_need_not_name_its_algorithm(provider: Provider, client: OpenIDProvider, alg: str) -> None:
    """`alg` of a key is optional (RFC 7517, 4.4): the algorithms this file accepts are accepted without it."""
    provider.keys = {"keys": [{name: value for name, value in JWK_RSA.items() if name != "alg"}]}
    assert await client.verify(signed(provider.claims(), alg=alg), nonce=NONCE)


async def test_new_keys_are_found_when_they_are_needed(
    provider: Provider, client: OpenIDProvider, clock: Clock
) -> None:
    """F8: rotation in mid flight."""
    await client.verify(provider.token(), nonce=NONCE)
    new = jwk(STRANGER, jwt.algorithms.RSAAlgorithm, kid="rsa-2", use="sig", alg="RS256")
    provider.keys = {"keys": [JWK_RSA, new]}
    clock.now += KEYS_AGAIN_S + 1
    assert await client.verify(signed(provider.claims(), key=STRANGER, kid="rsa-2"), nonce=NONCE)


async def test_unknown_keys_are_no_way_to_flood_the_provider(provider: Provider, client: OpenIDProvider) -> None:
    """F8: one question in half a minute, however many tokens come."""
    for number in range(50):
        with pytest.raises(Refused):
            await client.verify(signed(provider.claims(), kid=f"x{number}"), nonce=NONCE)
    assert provider.asked.count("/keys") == 1


async def test_known_keys_serve_while_the_provider_is_down(
    provider: Provider, client: OpenIDProvider, clock: Clock
) -> None:
    """F8."""
    token = provider.token()
    await client.verify(token, nonce=NONCE)
    provider.instead["/keys"] = lambda answer: answer.set_status(503)
    clock.now += KEYS_AGAIN_S + 1
    assert await client.verify(token, nonce=NONCE)


async def test_a_key_that_was_withdrawn_is_not_good_for_ever(
    provider: Provider, client: OpenIDProvider, clock: Clock
) -> None:
    """F8: cached keys are used until their time is over: a stolen key the provider withdrew must die here too."""
    token = provider.token()
    await client.verify(token, nonce=NONCE)
    provider.keys = {"keys": [JWK_EC]}
    clock.now += 24 * DISCOVERY_KEPT_S
    with pytest.raises(Refused):
        await client.verify(token, nonce=NONCE)


async def test_keys_that_could_not_be_read_are_not_called_a_forgery(provider: Provider, client: OpenIDProvider) -> None:
    """F8: within half a minute of a failed question the answer is still "not available", not "your login is false"."""
    provider.instead["/keys"] = lambda answer: answer.set_status(503)
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            await client.verify(provider.token(), nonce=NONCE)


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
        await client.verify(provider.token(), nonce=NONCE)


async def test_one_key_nobody_understands_does_not_spoil_the_others(provider: Provider, client: OpenIDProvider) -> None:
    provider.keys = {"keys": [{"kty": "AKP", "kid": "pq-1", "alg": "ML-DSA-44", "pub": "AA"}, JWK_RSA]}
    assert await client.verify(provider.token(), nonce=NONCE)


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
