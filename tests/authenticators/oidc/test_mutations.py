"""Every answer a provider could give wrongly, one at a time, through the whole code of a login, over HTTP.

A provider on this machine answers as it should but for one thing: the table says which. The control, the same without
the change, is a login. S5 of the threat model: at least 150 changed answers, none accepted, each refused in a sentence.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
import pytest
from jupyterhub.crypto import CryptKeeper
from oauthenticator.oauth2 import STATE_COOKIE_NAME, _serialize_state
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.web import create_signed_value
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.elevation import ElevationRules
from daas_hub.authenticators.oidc.handlers import BackchannelHandler, CallbackHandler
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from tests.authenticators.oidc.keys import (
    EC,
    ED,
    JWK_EC,
    JWK_ED,
    JWK_RSA,
    RSA,
    RSA_PEM,
    STRANGER,
    STRANGER_EC,
    b64,
    hmac_signed,
    jwk,
    sign_raw,
    signed,
)

CLIENT, SECRET, CODE, STATE, VERIFIER = "daas-hub", "client-secret-of-the-test", "the-code", "the-state", "v" * 43
NONCE = hashlib.sha256(f"nonce:{VERIFIER}".encode()).hexdigest()
COOKIE_SECRET = b"0" * 32
EVENT = "http://schemas.openid.net/event/backchannel-logout"
DISCOVERY, KEYS, TOKEN, USERINFO = "/.well-known/openid-configuration", "/keys", "/token", "/userinfo"


class Case:
    """One login at one provider: everything that is said in it, to be changed before it is."""

    def __init__(self, issuer: str) -> None:
        now = int(time.time())
        self.issuer = issuer
        self.claims: dict[str, Any] = {
            "iss": issuer, "sub": "anna", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": NONCE,
        }  # fmt: skip
        self.header: dict[str, Any] = {}
        self.alg, self.key = "RS256", RSA
        #: the id_token itself, instead of one made of the above
        self.id_token: Any = None
        self.discovery: dict[str, Any] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}{TOKEN}",
            "userinfo_endpoint": f"{issuer}{USERINFO}",
            "jwks_uri": f"{issuer}{KEYS}",
            "authorization_response_iss_parameter_supported": True,
        }
        self.keys: Any = {"keys": [JWK_RSA, JWK_EC, JWK_ED]}
        self.tokens: dict[str, Any] = {"access_token": "the-access-token", "token_type": "Bearer", "expires_in": 300}
        self.userinfo: dict[str, Any] = {"sub": "anna", "name": "Anna", "voperson_id": "anna@example.org"}
        #: path -> (status, headers, body) instead of the right answer
        self.instead: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.callback: list[tuple[str, str]] = [("code", CODE), ("state", STATE), ("iss", issuer)]
        self.cookie: Any = {"state_id": STATE, "method": "one", "next_url": "/hub/home", "code_verifier": VERIFIER}
        #: of a call that tells of a logout
        self.logout: dict[str, Any] = {
            "iss": issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "number", "sub": "anna", "sid": "s",
            "events": {EVENT: {}},
        }  # fmt: skip
        self.logout_header: dict[str, Any] = {"typ": "logout+jwt"}
        self.logout_token: Any = None
        self.form: Any = None
        self.form_type = "application/x-www-form-urlencoded"

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if path in self.instead:
            return self.instead[path]
        token = self.id_token or signed(_without(self.claims), alg=self.alg, key=self.key, **self.header)
        documents: dict[str, Any] = {
            DISCOVERY: self.discovery, KEYS: self.keys, USERINFO: self.userinfo,
            TOKEN: {"id_token": token} | self.tokens,
        }  # fmt: skip
        if path not in documents:
            return 404, {}, b""
        return 200, {"Content-Type": "application/json"}, json.dumps(_without(documents[path])).encode()


def _without(document: Any) -> Any:
    """Take away what a change set to `...`."""
    return (
        {key: value for key, value in document.items() if value is not ...} if isinstance(document, dict) else document
    )


# -- the table -----------------------------------------------------------------------------------------------------

Change = Callable[[Case], Any]


def claim(**values: Any) -> Change:
    return lambda case: case.claims.update(values)


def head(**values: Any) -> Change:
    return lambda case: case.header.update(values)


def found(**values: Any) -> Change:
    return lambda case: case.discovery.update(values)


def given(**values: Any) -> Change:
    return lambda case: case.tokens.update(values)


def told(**values: Any) -> Change:
    return lambda case: case.userinfo.update(values)


def logout(**values: Any) -> Change:
    return lambda case: case.logout.update(values)


def keys(value: Any) -> Change:
    return lambda case: setattr(case, "keys", value)


def token(make: Callable[[Case], Any]) -> Change:
    return lambda case: setattr(case, "id_token", make(case))


def instead(path: str, status: int, body: bytes | str, kind: str = "application/json", **headers: str) -> Change:
    data = body.encode() if isinstance(body, str) else body
    return lambda case: case.instead.update({path: (status, {"Content-Type": kind, **headers}, data)})


def back(*fields: tuple[str, str | None]) -> Change:
    """Change what the browser comes back with; None takes a field away, a pair is added if it is there twice."""

    def change(case: Case) -> None:
        names = {name for name, _ in fields}
        kept = [pair for pair in case.callback if pair[0] not in names]
        case.callback = kept + [(name, value) for name, value in fields if value is not None]

    return change


def cookie(value: Any) -> Change:
    return lambda case: setattr(case, "cookie", value)


def _parts(case: Case) -> list[str]:
    return signed(case.claims).split(".")


def _twice(text: str, key: str, value: str) -> str:
    return text[:-1] + f', "{key}": {json.dumps(value)}}}'


NOW = int(time.time())
HTML = "<!doctype html><title>Sign in</title><form></form>"

LOGINS: dict[str, Change] = {
    # the signature
    **{
        f"alg {alg!r} without signature": token(
            lambda c, alg=alg: f"{b64(json.dumps({'alg': alg, 'kid': 'rsa-1'}))}.{_parts(c)[1]}."
        )
        for alg in ("none", "None", "NONE", "nOnE", "")
    },
    **{f"alg {alg!r}": head(alg=alg) for alg in ("none", "HS256", "HS512", "rs256", "RS1", None, 7, ["RS256"])},
    "no alg": head(alg=...),
    "HS256 with the public key": token(lambda c: hmac_signed(c.claims, RSA_PEM)),
    "HS256 with the client secret": token(lambda c: hmac_signed(c.claims, SECRET.encode())),
    "HS256 with the key's description": token(lambda c: hmac_signed(c.claims, json.dumps(JWK_RSA).encode())),
    "HS256 with nothing": token(lambda c: hmac_signed(c.claims, b"")),
    "HMAC that says RS256": token(lambda c: hmac_signed(c.claims, RSA_PEM, alg="RS256")),
    "a stranger's key": lambda c: setattr(c, "key", STRANGER),
    "a stranger's EC key": token(lambda c: signed(c.claims, alg="ES256", key=STRANGER_EC, kid="ec-1")),
    "an EC key under the RSA key's name": token(lambda c: signed(c.claims, alg="ES256", key=EC)),
    "another algorithm than the key is for": token(lambda c: signed(c.claims, alg="RS512")),
    "EdDSA under the EC key's name": token(lambda c: signed(c.claims, alg="EdDSA", key=ED, kid="ec-1")),
    "a signature of zeros": token(lambda c: ".".join([*_parts(c)[:2], b64(bytes(256))])),
    "no signature": token(lambda c: ".".join([*_parts(c)[:2], ""])),
    "a truncated signature": token(lambda c: signed(c.claims)[:-8]),
    "a bit of the signature": token(lambda c: _flip(signed(c.claims), -20)),
    "a bit of the claims": token(lambda c: _flip(signed(c.claims), len(_parts(c)[0]) + 12)),
    "a bit of the header": token(lambda c: _flip(signed(c.claims), 4)),
    "claims of another token": token(
        lambda c: ".".join([_parts(c)[0], b64(json.dumps(c.claims | {"sub": "ben"})), _parts(c)[2]])
    ),
    "an unknown kid": head(kid="rsa-9"),
    "no kid among several": head(kid=...),
    "kid null": head(kid=None),
    "kid a number": head(kid=0),
    "kid a list": head(kid=["rsa-1"]),
    "kid in capitals": head(kid="RSA-1"),
    "kid a path": head(kid="../../../dev/null"),
    "crit": head(crit=["exp"]),
    "b64 with crit": head(crit=["b64"], b64=False),
    "a key in the header": token(
        lambda c: signed(c.claims, key=STRANGER, kid="x", jwk=jwk(STRANGER, jwt.algorithms.RSAAlgorithm, kid="x"))
    ),
    "a key's address in the header": token(lambda c: signed(c.claims, key=STRANGER, jku=f"{c.issuer}/evil", kid="x")),
    "a certificate in the header": token(lambda c: signed(c.claims, key=STRANGER, x5c=["MIIB"])),
    "typ of a logout token": head(typ="logout+jwt"),
    "typ of an access token": head(typ="at+JWT"),
    # the form
    "two parts": token(lambda c: signed(c.claims).rpartition(".")[0]),
    "four parts": token(lambda c: signed(c.claims) + ".x"),
    "encrypted": token(lambda c: ".".join([b64('{"alg":"dir","enc":"A256GCM"}'), "", "a", "b", "c"])),
    "too large": claim(padding="x" * 20_000),
    "blank in front": token(lambda c: " " + signed(c.claims)),
    "newline behind": token(lambda c: signed(c.claims) + "\n"),
    "not ASCII": token(lambda c: "é" + signed(c.claims)),
    "a list of tokens": token(lambda c: [signed(c.claims)]),
    "claims instead of a token": token(lambda c: dict(c.claims)),
    "header no JSON": token(lambda c: sign_raw(b64("{"), _parts(c)[1])),
    "header a list": token(lambda c: sign_raw(b64("[]"), _parts(c)[1])),
    "claims a list": token(lambda c: signed([c.claims])),
    "claims no JSON": token(lambda c: signed("{")),
    "claims nested": token(lambda c: signed("[" * 8000)),
    "nested token": token(lambda c: signed(json.dumps(signed(c.claims)), cty="JWT")),
    "sub twice": token(lambda c: signed(_twice(json.dumps(c.claims), "sub", "anna"))),
    "iss twice": token(lambda c: signed(_twice(json.dumps(c.claims), "iss", c.issuer))),
    "alg twice": token(
        lambda c: sign_raw(b64('{"alg": "none", "alg": "RS256", "kid": "rsa-1"}'), _parts(c)[1])
    ),
    # who says it, and for whom
    "iss another": claim(iss="https://evil.example"),
    "iss with a slash": lambda c: c.claims.update(iss=c.issuer + "/"),
    "iss in capitals": lambda c: c.claims.update(iss=c.issuer.upper()),
    "iss by name": lambda c: c.claims.update(iss=c.issuer.replace("127.0.0.1", "localhost")),
    "iss goes on": lambda c: c.claims.update(iss=c.issuer + ".evil.example"),
    "iss ends early": lambda c: c.claims.update(iss=c.issuer[:-1]),
    "iss in a list": lambda c: c.claims.update(iss=[c.issuer]),
    "iss null": claim(iss=None),
    "iss missing": claim(iss=...),
    "aud another": claim(aud="other"),
    "aud in capitals": claim(aud=CLIENT.upper()),
    "aud begins alike": claim(aud=CLIENT + "-2"),
    "aud empty list": claim(aud=[]),
    "aud several, no azp": claim(aud=[CLIENT, "other"]),
    "aud several, another azp": claim(aud=[CLIENT, "other"], azp="other"),
    "azp another": claim(azp="other"),
    "azp null": claim(azp=None),
    "azp a list": claim(azp=[CLIENT]),
    "aud a mapping": claim(aud={CLIENT: 1}),
    "aud null": claim(aud=None),
    "aud missing": claim(aud=...),
    # when
    "exp past": claim(exp=NOW - 200),
    "exp missing": claim(exp=...),
    "exp null": claim(exp=None),
    "exp text": claim(exp=str(NOW + 900)),
    "exp true": claim(exp=True),
    "exp zero": claim(exp=0),
    "exp a list": claim(exp=[NOW + 900]),
    "exp infinite": claim(exp=float("inf")),
    "nbf later": claim(nbf=NOW + 3600),
    "nbf words": claim(nbf="now"),
    "iat later": claim(iat=NOW + 3600),
    "iat text": claim(iat=str(NOW)),
    "iat missing": claim(iat=...),
    "iat null": claim(iat=None),
    # for which login
    "nonce another": claim(nonce="x" * 64),
    "nonce missing": claim(nonce=...),
    "nonce null": claim(nonce=None),
    "nonce empty": claim(nonce=""),
    "nonce in capitals": claim(nonce=NONCE.upper()),
    "nonce in a list": claim(nonce=[NONCE]),
    "a logout's events": claim(events={EVENT: {}}),
    # who it is
    "sub missing": claim(sub=...),
    "sub null": claim(sub=None),
    "sub empty": claim(sub=""),
    "sub a number": claim(sub=7),
    "sub a list": claim(sub=["anna"]),
    "sub a mapping": claim(sub={"anna": 1}),
    "sub too long": claim(sub="a" * 256),
    "sub with NUL": claim(sub="anna\0"),
    "sub with a newline": claim(sub="anna\nben"),
    "sub of another person": claim(sub="ben"),
    "sid a number": claim(sid=7),
    # the token endpoint
    "no id_token": given(id_token=...),
    "id_token null": given(id_token=None),
    "id_token empty": given(id_token=""),
    "no access_token": given(access_token=...),
    "access_token empty": given(access_token=""),
    "access_token a number": given(access_token=7),
    "access_token a list": given(access_token=["a"]),
    "access_token with a newline": given(access_token="a\r\nX-Evil: 1"),
    "access_token with a blank": given(access_token="a b"),
    "access_token not ASCII": given(access_token="ä"),
    "access_token too large": given(access_token="a" * 20_000),
    "refresh_token a list": given(refresh_token=["a"]),
    "no token_type": given(token_type=...),
    "token_type mac": given(token_type="mac"),
    "token_type a list": given(token_type=["Bearer"]),
    "an error beside the tokens": given(error="invalid_grant"),
    "token: invalid_grant": instead(TOKEN, 400, '{"error": "invalid_grant", "error_description": "<b>x</b>"}'),
    "token: invalid_client": instead(TOKEN, 401, '{"error": "invalid_client"}'),
    "token: an error that is a list": instead(TOKEN, 400, '{"error": ["x"]}'),
    "token: 400 with nothing": instead(TOKEN, 400, ""),
    "token: 500": instead(TOKEN, 500, "Traceback (most recent call last)"),
    "token: a page": instead(TOKEN, 200, HTML, "text/html"),
    "token: a redirect": instead(TOKEN, 302, "", Location="/elsewhere"),
    "token: nothing": instead(TOKEN, 200, ""),
    "token: a list": instead(TOKEN, 200, "[]"),
    "token: null": instead(TOKEN, 200, "null"),
    "token: half": instead(TOKEN, 200, '{"access_token": "a", "id'),
    "token: twice": instead(TOKEN, 200, '{"access_token": "a", "access_token": "b", "token_type": "Bearer"}'),
    "token: a form": instead(TOKEN, 200, "access_token=a&token_type=bearer", "application/x-www-form-urlencoded"),
    "token: too large": instead(TOKEN, 200, b" " * 1_100_000 + b"{}"),
    "token: nested": instead(TOKEN, 200, "[" * 200_000),
    "token: not UTF-8": instead(TOKEN, 200, b"\xff\xfe{}"),
    "token: 204": instead(TOKEN, 204, ""),
    # userinfo
    "userinfo: another person": told(sub="ben"),
    "userinfo: no sub": told(sub=...),
    "userinfo: sub null": told(sub=None),
    "userinfo: sub empty": told(sub=""),
    "userinfo: sub a list": told(sub=["anna"]),
    "userinfo: sub in capitals": told(sub="Anna"),
    "userinfo: sub a number": told(sub=7),
    "userinfo: sub with a blank": told(sub="anna "),
    "userinfo: 401": instead(USERINFO, 401, '{"sub": "anna"}'),
    "userinfo: 403": instead(USERINFO, 403, '{"sub": "anna"}'),
    "userinfo: 500": instead(USERINFO, 500, '{"sub": "anna"}'),
    "userinfo: 201": instead(USERINFO, 201, '{"sub": "anna"}'),
    "userinfo: a page": instead(USERINFO, 200, HTML, "text/html"),
    "userinfo: a redirect": instead(USERINFO, 302, '{"sub": "anna"}', Location="/elsewhere"),
    "userinfo: a list": instead(USERINFO, 200, '[{"sub": "anna"}]'),
    "userinfo: null": instead(USERINFO, 200, "null"),
    "userinfo: nothing": instead(USERINFO, 200, ""),
    "userinfo: half": instead(USERINFO, 200, '{"sub": "anna"'),
    "userinfo: sub twice": instead(USERINFO, 200, '{"sub": "ben", "sub": "anna"}'),
    "userinfo: too large": instead(USERINFO, 200, b'{"sub": "anna", "x": "' + b"x" * 1_100_000 + b'"}'),
    "userinfo: nested": instead(USERINFO, 200, '{"sub": "anna", "x": ' + "[" * 100_000),
    "userinfo: not UTF-8": instead(USERINFO, 200, b'{"sub": "anna\xff"}'),
    "userinfo: a signed token": lambda c: c.instead.update(
        {USERINFO: (200, {"Content-Type": "application/jwt"}, signed({"sub": "anna", "aud": CLIENT}).encode())}
    ),
    "userinfo: an unsigned token": instead(
        USERINFO, 200, f"{b64(json.dumps({'alg': 'none'}))}.{b64(json.dumps({'sub': 'anna'}))}.", "application/jwt"
    ),
    # the description
    "description: another issuer": found(issuer="https://evil.example"),
    "description: issuer with a slash": lambda c: c.discovery.update(issuer=c.issuer + "/"),
    "description: no issuer": found(issuer=...),
    "description: issuer null": found(issuer=None),
    "description: tokens over an open line": found(token_endpoint="http://10.0.0.1/token"),
    "description: keys over an open line": found(jwks_uri="http://evil.example/keys"),
    "description: keys in a file": found(jwks_uri="file:///etc/passwd"),
    "description: a script": found(authorization_endpoint="javascript:alert(1)"),
    "description: sign-out over an open line": found(end_session_endpoint="http://evil.example/out"),
    "description: sign-out a number": found(end_session_endpoint=7),
    "description: looks like this machine": found(userinfo_endpoint="http://127.0.0.1.evil.example/"),
    "description: this machine as a user name": found(userinfo_endpoint="http://127.0.0.1@evil.example/"),
    "description: no tokens": found(token_endpoint=...),
    "description: no userinfo": found(userinfo_endpoint=...),
    "description: no keys": found(jwks_uri=...),
    "description: a list": found(token_endpoint=["https://a.example"]),
    "description: a page": instead(DISCOVERY, 200, HTML, "text/html"),
    "description: a redirect": instead(DISCOVERY, 302, "", Location="https://evil.example/"),
    "description: 404": instead(DISCOVERY, 404, ""),
    "description: 500": instead(DISCOVERY, 500, ""),
    "description: nothing": instead(DISCOVERY, 200, ""),
    "description: null": instead(DISCOVERY, 200, "null"),
    "description: half": instead(DISCOVERY, 200, '{"issuer": "'),
    "description: too large": instead(DISCOVERY, 200, b" " * 1_100_000 + b"{}"),
    # the keys
    "keys: none": keys({"keys": []}),
    "keys: missing": keys({}),
    "keys: null": keys({"keys": None}),
    "keys: a stranger's": keys({"keys": [jwk(STRANGER, jwt.algorithms.RSAAlgorithm, kid="rsa-1", use="sig")]}),
    "keys: for encryption": keys({"keys": [JWK_RSA | {"use": "enc"}]}),
    "keys: for another algorithm": keys({"keys": [JWK_RSA | {"alg": "PS256"}]}),
    "keys: only another": keys({"keys": [JWK_EC]}),
    "keys: an empty key": keys({"keys": [{"kty": "RSA", "kid": "rsa-1", "n": "", "e": ""}]}),
    "keys: of wrong types": keys({"keys": [{"kty": "RSA", "kid": "rsa-1", "n": 7, "e": []}]}),
    "keys: text": keys({"keys": "rsa"}),
    "keys: a shared secret": keys({"keys": [{"kty": "oct", "kid": "rsa-1", "k": b64(b"0" * 32), "use": "sig"}]}),
    "keys: a page": instead(KEYS, 200, HTML, "text/html"),
    "keys: a redirect": instead(KEYS, 302, "", Location="/keys2"),
    "keys: 500": instead(KEYS, 500, ""),
    "keys: a list": instead(KEYS, 200, json.dumps([JWK_RSA])),
    "keys: half": instead(KEYS, 200, '{"keys": ['),
    "keys: twice": instead(KEYS, 200, json.dumps({"keys": [JWK_RSA]})[:-1] + ', "keys": []}'),
    # what the browser comes back with
    "no code": back(("code", None)),
    "empty code": back(("code", "")),
    "two codes": back(("code", CODE), ("code", "other")),
    "another code": back(("code", "guess")),
    "a code with a newline": back(("code", "a\nb")),
    "a code as long as a book": back(("code", "c" * 5000)),
    "no state": back(("state", None)),
    "empty state": back(("state", "")),
    "another state": back(("state", "guess")),
    "state in capitals": back(("state", STATE.upper())),
    "two states": back(("state", STATE), ("state", STATE)),
    "a state that is no text": back(("state", "\u202e\U0001f600")),
    "no iss": back(("iss", None)),
    "empty iss": back(("iss", "")),
    "another iss": back(("iss", "https://evil.example")),
    "iss with a slash behind": lambda c: back(("iss", c.issuer + "/"))(c),
    "two iss": lambda c: back(("iss", c.issuer), ("iss", c.issuer))(c),
    "an error": back(("error", "access_denied")),
    "an error with a page in it": back(("error", "<script>alert(1)</script>"), ("error_description", HTML)),
    "two errors": back(("error", "a"), ("error", "b")),
    "no cookie": cookie(None),
    "a cookie nobody signed": cookie("forged"),
    "a cookie of another provider": lambda c: c.cookie.update(method="other"),
    "a cookie of no provider": lambda c: c.cookie.pop("method"),
    "a cookie without state": lambda c: c.cookie.pop("state_id"),
    "a cookie with an empty state": lambda c: (c.cookie.update(state_id=""), back(("state", ""))(c)),
    "a cookie without verifier": lambda c: c.cookie.pop("code_verifier"),
    "a cookie with another verifier": lambda c: c.cookie.update(code_verifier="w" * 43),
    "a cookie that is a list": cookie([STATE]),
}  # fmt: skip

LOGOUTS: dict[str, Change] = {
    "logout: iss another": logout(iss="https://evil.example"),
    "logout: iss missing": logout(iss=...),
    "logout: aud another": logout(aud="other"),
    "logout: aud missing": logout(aud=...),
    "logout: no iat": logout(iat=...),
    "logout: old": logout(iat=NOW - 4000),
    "logout: from later": logout(iat=NOW + 4000),
    "logout: iat text": logout(iat=str(NOW)),
    "logout: no exp": logout(exp=...),
    "logout: exp past": logout(exp=NOW - 400),
    "logout: no jti": logout(jti=...),
    "logout: jti empty": logout(jti=""),
    "logout: jti a list": logout(jti=["a"]),
    "logout: nobody": logout(sub=..., sid=...),
    "logout: sub a list": logout(sub=["anna"]),
    "logout: sub empty": logout(sub=""),
    "logout: sid a number": logout(sid=7),
    "logout: a nonce": logout(nonce="n"),
    "logout: nonce null": logout(nonce=None),
    "logout: no events": logout(events=...),
    "logout: other events": logout(events={"https://example.org/event": {}}),
    "logout: events a list": logout(events=[EVENT]),
    "logout: events text": logout(events=EVENT),
    "logout: event null": logout(events={EVENT: None}),
    "logout: event text": logout(events={EVENT: "yes"}),
    "logout: typ of an access token": lambda c: c.logout_header.update(typ="at+jwt"),
    "logout: typ a list": lambda c: c.logout_header.update(typ=["logout+jwt"]),
    "logout: an id_token": lambda c: setattr(c, "logout_token", signed(c.claims)),
    "logout: unsigned": lambda c: setattr(
        c, "logout_token", f"{b64(json.dumps({'alg': 'none'}))}.{b64(json.dumps(c.logout))}."
    ),
    "logout: HS256 with the client secret": lambda c: setattr(
        c, "logout_token", hmac_signed(c.logout, SECRET.encode())
    ),
    "logout: HS256 with the public key": lambda c: setattr(c, "logout_token", hmac_signed(c.logout, RSA_PEM)),
    "logout: a stranger's key": lambda c: setattr(c, "logout_token", signed(c.logout, key=STRANGER)),
    "logout: an unknown kid": lambda c: c.logout_header.update(kid="x"),
    "logout: crit": lambda c: c.logout_header.update(crit=["exp"]),
    "logout: too large": logout(padding="x" * 20_000),
    "logout: sub twice": lambda c: setattr(
        c, "logout_token", signed(_twice(json.dumps(c.logout), "sub", "anna"), typ="logout+jwt")
    ),
    "logout: no form": lambda c: setattr(c, "form_type", "application/json"),
    "logout: an empty form": lambda c: setattr(c, "form", []),
    "logout: twice in the form": lambda c: setattr(c, "form", [("logout_token", "a.b.c")] * 2),
    "logout: a form as large as a book": lambda c: setattr(
        c, "form", [("logout_token", signed(c.logout)), ("x", "x" * 40_000)]
    ),
    "logout: no keys": keys({"keys": []}),
    "logout: keys out of reach": instead(KEYS, 500, ""),
}  # fmt: skip


def _flip(text: str, place: int) -> str:
    letter = "A" if text[place] != "A" else "B"
    cut = place % len(text)
    return text[:cut] + letter + text[cut + 1 :]


# -- the house they come to ----------------------------------------------------------------------------------------


class FakeFacility:
    """A facility where everybody has an account: a login that is wrongly accepted is a login."""

    claims: frozenset[str] = frozenset()
    elevation = ElevationRules()
    user_office_url = ""

    async def account_of(self, identity: Identity) -> Account:
        return Account(identity.subject, 25001, 25001)


class House:
    """The provider, and the portal's own handlers in a web server: only the hub around them is not there."""

    def __init__(self) -> None:
        self.accepted: list[Any] = []
        self.ended: list[Any] = []
        ended = self.ended

        class Authenticator(UmbrellaAuthenticator):
            async def signed_out(self, method: Any, who: Any) -> int:
                ended.append(who)
                return 1

        self.sockets = bind_sockets(0, "127.0.0.1")
        self.issuer = f"http://127.0.0.1:{self.sockets[0].getsockname()[1]}"
        self.case = Case(self.issuer)
        keys_ = {"issuer": self.issuer, "client_id": CLIENT, "client_secret": SECRET}
        settings = {
            "portal": True,
            "providers": {"one": keys_, "other": keys_ | {"issuer": "https://other.example", "title": "Other"}},
            "oauth_callback_url": "http://127.0.0.1/hub/oauth_callback",
        }
        config = Config({"UmbrellaAuthenticator": settings})
        self.authenticator = Authenticator(config=config, facility=FakeFacility())
        house = self
        self.asked: list[str] = []

        class Answer(web.RequestHandler):
            def check_xsrf_cookie(self) -> None:
                pass

            async def get(self) -> None:
                await self.post()

            async def post(self) -> None:
                path = self.request.path
                house.asked.append(path)
                status, headers, body = house.case.answer(path)
                if path == TOKEN and TOKEN not in house.case.instead:
                    fields = parse_qs(self.request.body.decode())
                    expected = {"code": [CODE], "code_verifier": [VERIFIER], "client_secret": [SECRET]}
                    if any(fields.get(name) != value for name, value in expected.items()):
                        status, body = 400, b'{"error": "invalid_grant"}'
                self.set_status(status)
                for name, value in headers.items():
                    self.set_header(name, value)
                self.finish(body if status != 204 else None)

        class Plain:
            """What the hub's handler has, without its database."""

            log = self.authenticator.log

            @property
            def authenticator(self) -> Any:
                return house.authenticator

            async def prepare(self) -> None:
                pass

            def set_default_headers(self) -> None:
                pass

            def finish(self, *args: Any) -> Any:
                return web.RequestHandler.finish(self, *args)  # type: ignore[arg-type]

            def write_error(self, status_code: int, **kwargs: Any) -> None:
                problem = kwargs["exc_info"][1]
                words = problem.log_message if isinstance(problem, web.HTTPError) else f"UNEXPECTED {problem!r}"
                web.RequestHandler.finish(self, {"status": status_code, "words": words or ""})  # type: ignore[arg-type]

        class Callback(Plain, CallbackHandler):
            async def login_user(self, data: Any = None) -> Any:
                model = await house.authenticator.authenticate(self, data)
                house.accepted.append(model)
                return SimpleNamespace(name="x")

            def get_next_url(self, user: Any = None) -> str:
                return "/hub/home"

        class Backchannel(Plain, BackchannelHandler):
            pass

        method = {"method": self.authenticator.methods["one"]}
        self.server = HTTPServer(
            web.Application(
                [("/hub/oauth_callback/one", Callback, method), ("/hub/back", Backchannel, method), ("/.*", Answer)],
                cookie_secret=COOKIE_SECRET,
            )
        )
        self.server.add_sockets(self.sockets)

    async def login(self) -> Any:
        """Come back from the provider as a browser does."""
        headers = HTTPHeaders()
        if self.case.cookie is not None:
            value = self.case.cookie if self.case.cookie == "forged" else create_signed_value(
                COOKIE_SECRET, STATE_COOKIE_NAME, _serialize_state(self.case.cookie)
            ).decode()  # fmt: skip
            headers["Cookie"] = f"{STATE_COOKIE_NAME}={value}"
        url = f"{self.issuer}/hub/oauth_callback/one?{urlencode(self.case.callback)}"
        return await self._fetch(url, headers=headers, follow_redirects=False)

    async def logout(self) -> Any:
        """Tell of a logout as the provider does."""
        token_ = self.case.logout_token or signed(_without(self.case.logout), **self.case.logout_header)
        form = [("logout_token", token_)] if self.case.form is None else self.case.form
        return await self._fetch(
            f"{self.issuer}/hub/back",
            method="POST",
            body=urlencode(form),
            headers={"Content-Type": self.case.form_type},
        )

    async def _fetch(self, url: str, **request: Any) -> Any:
        client = AsyncHTTPClient(force_instance=True)
        try:
            return await client.fetch(url, raise_error=False, **request)
        finally:
            client.close()


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    CryptKeeper.clear_instance()
    house = House()
    yield house
    house.server.stop()
    await house.server.close_all_connections()
    CryptKeeper.clear_instance()


def parts_of_secrets(case: Case) -> Iterator[str]:
    yield from (SECRET, VERIFIER, "the-access-token")
    if isinstance(case.id_token, str):
        yield from (part for part in case.id_token.split(".") if len(part) > 12)


# -- the tests -----------------------------------------------------------------------------------------------------


def test_the_table_is_long_enough() -> None:
    """S5."""
    assert len(LOGINS) + len(LOGOUTS) >= 150
    assert len(LOGINS) >= 150


async def test_the_same_without_a_change_is_a_login(house: House) -> None:
    """The control: what the table changes is what is refused."""
    answer = await house.login()
    assert answer.code == 302, answer.body
    assert [model["auth_state"]["identity"]["subject"] for model in house.accepted] == ["anna"]


async def test_the_same_without_a_change_is_a_logout(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """F9: once; the same token again is a replay."""
    answer = await house.logout()
    assert answer.code == 200, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert [(who.subject, who.session) for who in house.ended] == [("anna", "s")]
    assert (await house.logout()).code == 400
    assert len(house.ended) == 1
    # or by one of the two, with another number
    for number, without in enumerate(("sub", "sid")):
        house.case.logout |= {"sub": "anna", "sid": "s", "jti": f"n{number}", without: ...}
        assert (await house.logout()).code == 200


@pytest.mark.parametrize("name", LOGINS)
async def test_a_changed_answer_is_no_login(house: House, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """F1 to F5, F8, F10, S5: refused in a sentence, with no secret in it, and nothing that was led elsewhere."""
    LOGINS[name](house.case)
    answer = await house.login()
    assert house.accepted == []
    assert answer.code in (400, 403, 503), answer.body
    words = json.loads(answer.body)["words"]
    assert "UNEXPECTED" not in words
    assert 20 < len(words) < 300, words
    assert words.isprintable()
    assert "<" not in words
    for secret in parts_of_secrets(house.case):
        assert secret not in words
        assert secret not in caplog.text
    assert set(house.asked) <= {DISCOVERY, KEYS, TOKEN, USERINFO}


@pytest.mark.parametrize("name", LOGOUTS)
async def test_a_changed_logout_ends_nothing(house: House, name: str) -> None:
    """F9, S5: the provider gets 400 and a reason, and nobody is signed out."""
    LOGOUTS[name](house.case)
    answer = await house.logout()
    assert house.ended == []
    assert answer.code == 400, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert 20 < len(json.loads(answer.body)["error_description"]) < 300
