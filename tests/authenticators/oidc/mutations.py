"""Every answer a provider could give wrongly, one at a time: a login with one change each, as a table.

`test_mutations` sends them through the whole code of a login, `scripts.stock_oidc` through the stock authenticator's.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import jwt

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
        token = self.id_token or signed(without(self.claims), alg=self.alg, key=self.key, **self.header)
        documents: dict[str, Any] = {
            DISCOVERY: self.discovery, KEYS: self.keys, USERINFO: self.userinfo,
            TOKEN: {"id_token": token} | self.tokens,
        }  # fmt: skip
        if path not in documents:
            return 404, {}, b""
        return 200, {"Content-Type": "application/json"}, json.dumps(without(documents[path])).encode()


def without(document: Any) -> Any:
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


def with_userinfo(**values: Any) -> Change:
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

#: The signature.
SIGNATURE: dict[str, Change] = {
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
}  # fmt: skip

#: The form.
FORM: dict[str, Change] = {
    "two parts": token(lambda c: signed(c.claims).rpartition(".")[0]),
    "four parts": token(lambda c: signed(c.claims) + ".x"),
    "encrypted": token(lambda c: ".".join([b64('{"alg":"dir","enc":"A256GCM"}'), "", "a", "b", "c"])),
    "too large": claim(padding="x" * 270_000),
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
}  # fmt: skip

#: Who says it, and for whom.
ISSUER_AND_AUDIENCE: dict[str, Change] = {
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
}  # fmt: skip

#: When.
TIMES: dict[str, Change] = {
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
}  # fmt: skip

#: For which login.
NONCE_CLAIM: dict[str, Change] = {
    "nonce another": claim(nonce="x" * 64),
    "nonce missing": claim(nonce=...),
    "nonce null": claim(nonce=None),
    "nonce empty": claim(nonce=""),
    "nonce in capitals": claim(nonce=NONCE.upper()),
    "nonce in a list": claim(nonce=[NONCE]),
    "a logout's events": claim(events={EVENT: {}}),
}  # fmt: skip

#: Who it is.
SUBJECT: dict[str, Change] = {
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
}  # fmt: skip

#: The token endpoint.
TOKEN_ENDPOINT: dict[str, Change] = {
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
    "access_token too large": given(access_token="a" * 270_000),
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
}  # fmt: skip

#: Userinfo.
USERINFO_ENDPOINT: dict[str, Change] = {
    "userinfo: another person": with_userinfo(sub="ben"),
    "userinfo: no sub": with_userinfo(sub=...),
    "userinfo: sub null": with_userinfo(sub=None),
    "userinfo: sub empty": with_userinfo(sub=""),
    "userinfo: sub a list": with_userinfo(sub=["anna"]),
    "userinfo: sub in capitals": with_userinfo(sub="Anna"),
    "userinfo: sub a number": with_userinfo(sub=7),
    "userinfo: sub with a blank": with_userinfo(sub="anna "),
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
    "userinfo: a token that a stranger signed": instead(
        USERINFO, 200, signed({"sub": "anna", "aud": CLIENT}, key=STRANGER), "application/jwt"
    ),
    "userinfo: an unsigned token": instead(
        USERINFO, 200, f"{b64(json.dumps({'alg': 'none'}))}.{b64(json.dumps({'sub': 'anna'}))}.", "application/jwt"
    ),
}  # fmt: skip

#: The description.
DISCOVERY_DOCUMENT: dict[str, Change] = {
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
}  # fmt: skip

#: The keys.
KEY_SET: dict[str, Change] = {
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
}  # fmt: skip

#: What the browser comes back with.
CALLBACK: dict[str, Change] = {
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

#: What is changed, by what of a login it is in.
GROUPS: dict[str, dict[str, Change]] = {
    "id_token": {**SIGNATURE, **FORM, **ISSUER_AND_AUDIENCE, **TIMES, **NONCE_CLAIM, **SUBJECT},
    "token endpoint": TOKEN_ENDPOINT,
    "userinfo": USERINFO_ENDPOINT,
    "discovery document": DISCOVERY_DOCUMENT,
    "key set": KEY_SET,
    "callback": CALLBACK,
}
LOGINS: dict[str, Change] = {name: change for group in GROUPS.values() for name, change in group.items()}

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
    "logout: typ of an access token, the whole media type": lambda c: c.logout_header.update(typ="application/at+jwt"),
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
