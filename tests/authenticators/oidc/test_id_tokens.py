"""A table of id_tokens, accepted and refused: F1, F2, F3, F5, F8 and F10 of the threat model."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daas_hub.authenticators.oidc.id_tokens import LEEWAY_S, verify_id_token
from daas_hub.authenticators.oidc.provider import MAX_TOKEN_BYTES, OpenIDProvider
from daas_hub.errors import Refused
from tests.authenticators.oidc.http_provider import CLIENT, NONCE, Clock, Provider
from tests.authenticators.oidc.keys import (
    EC,
    ED,
    JWK_EC,
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

# -- tokens that hold ----------------------------------------------------------------------------------------------

GOOD: dict[str, Callable[[Provider], str]] = {
    "RSA": lambda p: p.token(),
    "EC": lambda p: signed(p.claims(), alg="ES256", key=EC, kid="ec-1"),
    "Ed25519": lambda p: signed(p.claims(), alg="EdDSA", key=ED, kid="ed-1"),
    "one audience in a list": lambda p: p.token(aud=[CLIENT]),
    "several audiences and an authorised party": lambda p: p.token(aud=["other", CLIENT], azp=CLIENT),
    "expired within the leeway": lambda p: p.token(exp=int(time.time()) - LEEWAY_S + 20),
    "F11 issued by a clock that is a little fast": lambda p: p.token(iat=int(time.time()) + LEEWAY_S - 20),
    "shortest subject": lambda p: p.token(sub="a"),
    "longest subject": lambda p: p.token(sub="a" * 255),
    "a subject with accents and blanks": lambda p: p.token(sub="Anna Ångström"),
    "F1 header addresses are not looked at": lambda p: signed(p.claims(), jku="http://evil.example", x5u="http://e.x"),
    "further claims": lambda p: p.token(email="x@y", groups=["a"] * 100),
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_token_gives_its_claims(provider: Provider, client: OpenIDProvider, name: str) -> None:
    claims = await verify_id_token(client, GOOD[name](provider), nonce=NONCE)
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
    # two values of one name, of which other programs may take the other
    "F8 a claim twice": lambda p: signed('{"sub": "root", ' + json.dumps(p.claims())[1:]),
    "F8 a parameter of the header twice": lambda p: sign_raw(
        b64('{"typ": "at+jwt", "alg": "RS256", "typ": "JWT", "kid": "rsa-1"}'), b64(json.dumps(p.claims()))
    ),
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
} | {
    f"a token of type {typ}": lambda p, typ=typ: signed(p.claims(), typ=typ)
    for kind in ("at+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt")
    for typ in (kind, kind.upper(), f"application/{kind}")
}


def test_the_table_is_long_enough() -> None:
    assert len(BAD) >= 60


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_refused(provider: Provider, client: OpenIDProvider, name: str) -> None:
    token = BAD[name](provider)
    with pytest.raises(Refused) as refused:
        await verify_id_token(client, token, nonce=NONCE)
    shown = str(refused.value)
    assert len(shown) < 300
    assert shown.isprintable()
    assert not any(part in shown for part in str(token).split(".") if len(part) > 8), "nothing of a token in a text"
    assert set(provider.asked) <= {"/.well-known/openid-configuration", "/keys"}, "F1: no address of a token is fetched"


async def test_every_changed_letter_is_noticed(provider: Provider, client: OpenIDProvider) -> None:
    """F1: one bit anywhere, all along the token."""
    token = provider.token()
    await verify_id_token(client, token, nonce=NONCE)
    for place in range(0, len(token), 7):
        if token[place] != ".":
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            with pytest.raises(Refused):
                await verify_id_token(client, changed, nonce=NONCE)


async def test_a_refresh_carries_no_nonce_but_everything_else(provider: Provider, client: OpenIDProvider) -> None:
    assert await verify_id_token(client, provider.token(nonce=...), nonce=None)
    with pytest.raises(Refused):
        await verify_id_token(client, provider.token(nonce=..., aud="other"), nonce=None)


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
            await verify_id_token(provider, sign_raw(head, payload, key=STRANGER), nonce=NONCE)

    asyncio.run(ask())
