"""`daas-hub doctor --login`: a person signs in with a browser of their own and a code (RFC 8628).

At a certified provider, and at one that speaks the wire format and says something wrong. Nobody waits here: the clock
goes by itself, and the person comes while it is slept.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from daas_hub.accounts import Identity
from daas_hub.authenticators.doctor.device_login import sign_in_once
from daas_hub.authenticators.oidc.device_flow import GRANT, MAX_WAIT_S
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.oidc.provider_config import read_providers
from daas_hub.findings import Finding, Verdict
from tests.stand_ins.openid import CertifiedProvider, start_provider
from tests.stand_ins.running import running

WANTED = frozenset({"groups"})
KEY = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)


class Person:
    """Whoever sees what is told, and comes while it is slept; the time goes by as it is slept."""

    def __init__(self, comes: Callable[[str], None] = lambda _: None) -> None:
        self.comes = comes
        self.words = ""
        self.waits: list[float] = []
        self.now = 0.0

    def tell(self, words: str) -> None:
        self.words = words

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if len(self.waits) == 2:
            self.comes(re.findall(r"or open +(\S+)", self.words)[0])

    def clock(self) -> float:
        return self.now

    async def signs_in(self, *methods: OIDCMethod, name: str = "") -> tuple[Identity | None, list[Finding]]:
        known = {one.name: one for one in methods}
        who, found = await sign_in_once(known, name, WANTED, self.tell, sleep=self.sleep, clock=self.clock)
        assert "t0ken" not in f"{found}{self.words}"
        return who, found


def method_at(issuer: str, profile: str = "keycloak", *, name: str = "one", **keys: Any) -> OIDCMethod:
    known = {"profile": profile, "issuer": issuer, "client_id": "daas-hub", "client_secret": "not-a-secret"}
    return OIDCMethod(read_providers("test", {name: known | keys})[name], lambda: WANTED)


# -- at a certified provider -----------------------------------------------------------------------------------------


@pytest.fixture
def provider() -> Iterator[Callable[..., CertifiedProvider]]:
    started: list[CertifiedProvider] = []

    def start(profile: str = "keycloak", **options: Any) -> CertifiedProvider:
        started.append(start_provider(profile, portal="http://127.0.0.1:8000", name="one", **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.mark.parametrize("basic_auth", [False, True])
async def test_a_person_signs_in(provider: Callable[..., CertifiedProvider], basic_auth: bool) -> None:
    """The same identity as at a login of the portal, with the token that catalogues are asked with."""
    at = provider(basic_auth=basic_auth)
    person = Person(lambda address: at.enter_code(address, "anna"))
    who, found = await person.signs_in(method_at(at.issuer, basic_auth=basic_auth))
    assert who is not None, found
    assert (who.issuer, who.subject, who.display_name) == (at.issuer, "anna", "Anna Lindqvist")
    assert who.claims == {"groups": ["/proposals/ma-4242"]}
    assert who.access_token
    assert who.access_token not in f"{found}{person.words}"
    assert [(one.key, one.verdict) for one in found] == [("login.test", "ok"), ("login.test.claims", "ok")]
    assert person.waits == [5.0, 5.0]
    assert f"open       {at.issuer}/device\n" in person.words
    assert re.search(r"and enter  \w{4}-\w{4}\n", person.words)


@pytest.mark.parametrize(
    ("keys", "options", "got", "remedy"),
    [
        ({}, {"device": False}, "invalid_request", "'daas-hub'. Alternatively, sign in once"),
        ({"client_secret": "another"}, {}, "invalid_client", "Copy client_id"),
        ({"client_id": "another"}, {}, "invalid_client", "Copy client_id"),
        ({"required_assurance": ["https://refeds.org/profile/mfa"]}, {}, "level of assurance", "required_assurance"),
        ({"subject_claims": ["voperson_id"]}, {}, "the claim voperson_id", "subject_claims"),
    ],
)
async def test_what_a_certified_provider_refuses(
    provider: Callable[..., CertifiedProvider], keys: dict[str, Any], options: dict[str, Any], got: str, remedy: str
) -> None:
    at = provider(**options)
    who, found = await Person(lambda address: at.enter_code(address, "anna")).signs_in(method_at(at.issuer, **keys))
    assert who is None
    assert_reported(found, got, remedy)


async def test_a_person_who_says_no(provider: Callable[..., CertifiedProvider]) -> None:
    at = provider()
    who, found = await Person(lambda address: at.enter_code(address, "anna", agree=False)).signs_in(
        method_at(at.issuer)
    )
    assert who is None
    assert_reported(found, "access_denied", "agree at the provider")


async def test_claims_the_provider_does_not_send(provider: Callable[..., CertifiedProvider]) -> None:
    at = provider("generic")
    who, found = await Person(lambda address: at.enter_code(address, "anna")).signs_in(method_at(at.issuer, "generic"))
    assert who is not None
    assert found[-1].key == "login.test.claims"
    assert_reported(found[1:], "received: none; missing: groups", "mappers")


def assert_reported(found: list[Finding], got: str, remedy: str) -> None:
    (one,) = found
    assert one.verdict is Verdict.PROBLEM
    assert re.search(got, one.result), one
    assert re.search(remedy, one.fix), one


# -- at one that says something wrong ---------------------------------------------------------------------------------


@dataclass
class Speaks:
    """A provider that speaks the wire format, and says what a test puts into it."""

    #: changes of its description, of its invitation and of its id_token; `...` takes a field away
    description: dict[str, Any] = field(default_factory=dict)
    invitation: dict[str, Any] = field(default_factory=dict)
    id_token: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    userinfo: str = "anna"
    key: rsa.RSAPrivateKey = KEY
    #: what comes at each question before the tokens; the last one stays if it is `stays`
    polls: tuple[str, ...] = ()
    stays: bool = False
    #: path -> what comes there instead
    instead: dict[str, Callable[[web.Request], web.Response]] = field(default_factory=dict)
    issuer: str = ""
    asked: int = 0
    challenge: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        if request.path in self.instead:
            return self.instead[request.path](request)
        if request.path == "/device":
            sent = await request.post()
            assert (sent["client_id"], sent["scope"]) == ("daas-hub", "openid profile")
            assert sent["code_challenge_method"] == "S256"
            self.challenge = str(sent["code_challenge"])
        says: dict[str, Callable[[], dict[str, Any]]] = {
            "/.well-known/openid-configuration": self._description,
            "/keys": lambda: {
                "keys": [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "1"}]
            },
            "/device": self._invitation,
            "/userinfo": lambda: {"sub": self.userinfo, "groups": ["a"]},
        }
        if request.path != "/token":
            return web.json_response(says[request.path]())
        sent = await request.post()
        assert (sent["grant_type"], sent["device_code"]) == (GRANT, "t0ken-of-anna")
        digest = hashlib.sha256(str(sent["code_verifier"]).encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == self.challenge
        self.asked += 1
        waiting = self.polls[min(self.asked, len(self.polls)) - 1] if self.polls else ""
        if waiting and (self.stays or self.asked <= len(self.polls)):
            return web.json_response({"error": waiting}, status=503 if waiting == "server_error" else 400)
        return web.json_response(self._tokens())

    def _description(self) -> dict[str, Any]:
        here = {name: f"{self.issuer}{path}" for name, path in {
            "issuer": "", "authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys",
            "userinfo_endpoint": "/userinfo", "device_authorization_endpoint": "/device",
        }.items()}  # fmt: skip
        return changed(here, self.description)

    def _invitation(self) -> dict[str, Any]:
        place = f"{self.issuer}/enter"
        said = {
            "device_code": "t0ken-of-anna", "user_code": "WDJB-MJHT", "verification_uri": place,
            "verification_uri_complete": f"{place}?code=WDJB-MJHT", "expires_in": 60, "interval": 2,
        }  # fmt: skip
        return changed(said, self.invitation)

    def _tokens(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "anna", "aud": "daas-hub", "iat": now, "exp": now + 300}
        id_token = jwt.encode(changed(claims, self.id_token), self.key, "RS256", {"kid": "1"})
        return changed({"access_token": "t0ken-of-anna", "token_type": "Bearer", "id_token": id_token}, self.tokens)


def changed(said: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (said | changes).items() if value is not ...}


@pytest.fixture
async def at() -> AsyncIterator[Speaks]:
    one = Speaks()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", one.answer)
    async with running(app) as one.issuer:
        yield one


def page(request: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>Sign in</title>", content_type="text/html")


def elsewhere(request: web.Request) -> web.Response:
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/token"})


def endless(request: web.Request) -> web.Response:
    return web.json_response({"device_code": "x" * 2_000_000})


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, [2.0]),
        ({"polls": ("authorization_pending",) * 2}, [2.0] * 3),
        ({"polls": ("slow_down", "authorization_pending", "slow_down")}, [2.0, 7.0, 7.0, 12.0]),
        ({"polls": ("server_error", "authorization_pending")}, [2.0, 4.0, 4.0]),
        ({"invitation": {"interval": ...}}, [5.0]),
        ({"invitation": {"interval": 0}}, [1.0]),
        ({"invitation": {"verification_uri_complete": ...}}, [2.0]),
        ({"id_token": {"nonce": "of nobody"}}, [2.0]),
    ],
)
async def test_how_often_it_is_asked(at: Speaks, changes: dict[str, Any], waits: list[float]) -> None:
    """RFC 8628, 3.5: no sooner than the provider says, and slower for good when it says so."""
    vars(at).update(changes)
    person = Person()
    who, found = await person.signs_in(method_at(at.issuer))
    assert who is not None, found
    assert person.waits == waits


@pytest.mark.parametrize(
    ("changes", "got", "remedy"),
    [
        # -- what it says of itself
        ({"description": {"device_authorization_endpoint": ...}}, "has no device_auth", "Device Authorization Grant"),
        ({"description": {"device_authorization_endpoint": "http://sso.example/d"}}, "does not use HTTPS", "non-HTTPS"),
        ({"description": {"device_authorization_endpoint": 7}}, "does not use HTTPS", "non-HTTPS"),
        ({"description": {"token_endpoint": "http://sso.example/t"}}, "no HTTPS token_endpoint", "endpoints"),
        ({"description": {"issuer": "https://other.example"}}, "a different issuer", "endpoints"),
        # -- the code
        ({"instead": {"/device": page}}, "returned no code", "login of the portal"),
        ({"instead": {"/device": endless}}, "more than 1000000 bytes", "able to reach"),
        ({"instead": {"/device": elsewhere}}, "redirect .307. to http://127.0.0.1:9", "no redirects"),
        ({"invitation": {"verification_uri": "http://sso.example/"}}, "not https", "portal"),
        ({"invitation": {"verification_uri_complete": "javascript:x"}}, "not https", "portal"),
        ({"invitation": {"user_code": "\x1b[2J"}}, "user_code is invalid", "portal"),
        ({"invitation": {"user_code": ...}}, "user_code is invalid", "portal"),
        ({"invitation": {"device_code": ...}}, "device_code is invalid", "portal"),
        ({"invitation": {"interval": "5"}}, "interval is not a number of seconds", "portal"),
        ({"invitation": {"expires_in": True}}, "expires_in is not a number of seconds", "portal"),
        # -- the person
        ({"polls": ("authorization_pending", "access_denied")}, "access_denied", "agree at the provider"),
        ({"polls": ("expired_token",)}, "expired_token", "Run the command again"),
        ({"polls": ("authorization_pending",), "stays": True}, "expired_token", "not entered in time"),
        ({"polls": ("slow_down",), "stays": True}, "expired_token", "not entered in time"),
        # -- the tokens
        ({"polls": ("unauthorized_client",)}, "unauthorized_client", "Device Authorization Grant"),
        ({"polls": ("unsupported_grant_type",)}, "unsupported_grant_type", "Device Authorization Grant"),
        ({"polls": ("invalid_grant",)}, "invalid_grant", "log"),
        ({"polls": ("\x1b[2J t0ken-of-anna",)}, "unnamed error", "log"),
        ({"instead": {"/token": page}}, "returned no tokens", "login of the portal"),
        ({"instead": {"/token": elsewhere}}, "is not available", "no redirects"),
        ({"instead": {"/token": endless}}, "is not available", "able to reach"),
        ({"tokens": {"token_type": "mac"}}, "token_type is not Bearer", "login of the portal"),
        ({"tokens": {"access_token": ...}}, "access_token is invalid", "login of the portal"),
        # -- who it is
        ({"tokens": {"id_token": ...}}, "not a signed token", "scope"),
        ({"id_token": {"aud": "another"}}, "InvalidAudience", "client_id"),
        ({"id_token": {"aud": ["daas-hub", "another"]}}, "several audiences", "client_id"),
        ({"id_token": {"iss": "https://other.example"}}, "InvalidIssuer", "issuer"),
        ({"id_token": {"exp": 1}}, "ExpiredSignature", "issuer"),
        ({"id_token": {"sub": ...}}, "MissingRequiredClaim", "issuer"),
        ({"key": STRANGER}, "InvalidSignature", "issuer"),
        ({"userinfo": "ben"}, "two different people", "client and this person"),
    ],
)  # fmt: skip
async def test_what_is_not_accepted(at: Speaks, changes: dict[str, Any], got: str, remedy: str) -> None:
    vars(at).update(changes)
    person = Person()
    who, found = await person.signs_in(method_at(at.issuer))
    assert who is None
    assert_reported(found, got, remedy)
    assert person.now <= 60


async def test_nobody_is_waited_for_without_end(at: Speaks) -> None:
    """Whatever the provider says of its code."""
    at.invitation = {"expires_in": 1e12, "interval": 100}
    at.polls, at.stays = ("authorization_pending",), True
    person = Person()
    who, found = await person.signs_in(method_at(at.issuer))
    assert who is None
    assert_reported(found, "expired_token", "Run the command again")
    assert person.waits == [100.0] * int(MAX_WAIT_S / 100)


async def test_a_provider_that_does_not_answer_is_asked_less_often(at: Speaks) -> None:
    """RFC 8628, 3.5: and not for ever."""
    at.instead = {"/token": lambda _: web.Response(status=503)}
    person = Person()
    who, found = await person.signs_in(method_at(at.issuer))
    assert who is None
    assert_reported(found, "status 503", "firewall")
    assert person.waits == [2.0, 4.0, 8.0]


async def test_which_method(at: Speaks) -> None:
    """By its name; one that is not there is said with those that are."""
    methods = method_at("https://other.example", name="other"), method_at(at.issuer)
    who, _ = await Person().signs_in(*methods, name="one")
    assert who is not None
    assert who.issuer == at.issuer
    assert_reported((await Person().signs_in(*methods, name="tow"))[1], "no such login method", "Known: one, other")
    (found,) = (await Person().signs_in())[1]
    assert (found.verdict, found.key) == (Verdict.NOT_CHECKED, "login.test")
