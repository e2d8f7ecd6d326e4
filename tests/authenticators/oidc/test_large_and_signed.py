"""Logins with hundreds of groups, signed userinfo, claims at another address, and how the secret is sent.

Each is a login by the portal's own client at a provider over real HTTP.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from daas_hub.authenticators.errors import ClientRejected
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.oidc.provider_config import read_providers
from daas_hub.errors import ConfigurationError, Refused
from tests.authenticators.oidc.keys import STRANGER, b64, signed
from tests.authenticators.oidc.mutations import CLIENT, CODE, SECRET, USERINFO, VERIFIER, Case

WANTED = frozenset({"groups", "uidNumber", "preferred_username"})
#: a beamline scientist, at a provider that writes the whole path of a group
GROUPS = [f"/proposals/2026/id21/ma-{4000 + number}" for number in range(400)]


class LoginProvider:
    """A provider that authenticates its client as a discovery document says, in the header or in the form."""

    def __init__(self) -> None:
        self.sockets = bind_sockets(0, "127.0.0.1")
        self.case = Case(f"http://127.0.0.1:{self.sockets[0].getsockname()[1]}")
        #: what the token endpoint accepts: "client_secret_basic", "client_secret_post"
        self.accepts = {"client_secret_post", "client_secret_basic"}
        self.used: list[str] = []
        provider = self

        class Answer(web.RequestHandler):
            async def get(self) -> None:
                self._send(*provider.case.answer(self.request.path))

            async def post(self) -> None:
                basic = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
                in_header = self.request.headers.get("Authorization") == basic
                in_form = self.get_body_argument("client_secret", "") == SECRET
                how = "client_secret_basic" if in_header else "client_secret_post" if in_form else "none"
                provider.used.append(how)
                if how not in provider.accepts or (in_header and in_form):
                    self._send(401, {"Content-Type": "application/json"}, b'{"error": "invalid_client"}')
                else:
                    self._send(*provider.case.answer(self.request.path))

            def check_xsrf_cookie(self) -> None:
                """It is no web page."""

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.set_status(status)
                for name, value in headers.items():
                    self.set_header(name, value)
                self.finish(body)

        self.server = HTTPServer(web.Application([("/.*", Answer)]))
        self.server.add_sockets(self.sockets)

    async def login(self, **keys: Any) -> Login:
        """Return a login by the portal's client."""
        entry = {"issuer": self.case.issuer, "client_id": CLIENT, "client_secret": SECRET} | keys
        method = OIDCMethod(read_providers("test", {"one": entry})["one"], lambda: WANTED)
        return await method.finish(code=CODE, verifier=VERIFIER, callback="http://127.0.0.1/hub/oauth_callback/one")

    def signed_userinfo(self, *, header: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> None:
        """Send userinfo as a JWT (OpenID Connect Core 1.0, 5.3.2)."""
        content = {"iss": self.case.issuer, "aud": CLIENT} | self.case.userinfo | claims
        content = {name: value for name, value in content.items() if value is not ...}
        token = signed(content, **({"key": key} if key else {}), **(header or {}))
        self.answers_jwt(token)

    def answers_jwt(self, token: str) -> None:
        """Send this as userinfo."""
        self.case.instead[USERINFO] = (200, {"Content-Type": "application/jwt;charset=UTF-8"}, token.encode())


@pytest.fixture
async def provider() -> AsyncIterator[LoginProvider]:
    provider = LoginProvider()
    yield provider
    provider.server.stop()
    await provider.server.close_all_connections()


# -- hundreds of groups --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_id_token", [True, False])
async def test_four_hundred_groups_are_read(provider: LoginProvider, in_id_token: bool) -> None:
    """An id_token of 17 kB: Keycloak's group mapper is on for both by default."""
    provider.case.userinfo["groups"] = GROUPS
    if in_id_token:
        provider.case.claims["groups"] = GROUPS
    login = await provider.login()
    assert login.identity.claims["groups"] == GROUPS


@pytest.mark.parametrize("where", ["id_token", "access_token", "claim"])
async def test_what_is_over_the_limit_is_refused_with_the_number(provider: LoginProvider, where: str) -> None:
    """Whose limit it is, how much came, what to do, and whether trying again helps."""
    if where == "id_token":
        provider.case.claims["groups"] = GROUPS
    elif where == "access_token":
        provider.case.tokens["access_token"] = "a" * 17_000
    else:
        provider.case.userinfo["groups"] = GROUPS
    with pytest.raises(Refused) as refused:
        await provider.login(max_token_bytes=8_192)
    shown = str(refused.value)
    assert "this portal reads at most 8,192" in shown
    assert "max_token_bytes" in shown
    assert "Signing in again does not help" in shown
    assert (await provider.login(max_token_bytes=65_536)).identity.subject == "anna"


@pytest.mark.parametrize("value", [100, 10_000_000, "65536", True, 65536.0])
def test_a_limit_that_cannot_work_is_refused(value: Any) -> None:
    entry = {"issuer": "https://login.example.org", "client_id": "x", "max_token_bytes": value}
    with pytest.raises(ConfigurationError, match="max_token_bytes"):
        read_providers("test", {"one": entry})


# -- claims at another address -------------------------------------------------------------------------------------

ELSEWHERE: dict[str, dict[str, Any]] = {
    "distributed claims": {
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://graph.example.org/users/anna/getMemberObjects"}},
    },
    "hasgroups": {"hasgroups": True},
    "hasgroups as text": {"hasgroups": "true"},
}


@pytest.mark.parametrize("place", ["id_token", "userinfo"])
@pytest.mark.parametrize("name", ELSEWHERE)
async def test_groups_that_are_elsewhere_are_not_read_as_none(provider: LoginProvider, name: str, place: str) -> None:
    """Microsoft Entra ID, with more than 200 groups."""
    (provider.case.claims if place == "id_token" else provider.case.userinfo).update(ELSEWHERE[name])
    with pytest.raises(Refused, match=r"did not send the claim groups.*does not help"):
        await provider.login()


async def test_what_nothing_reads_may_be_elsewhere(provider: LoginProvider) -> None:
    provider.case.claims["_claim_names"] = {"photo": "src1"}
    assert (await provider.login()).identity.subject == "anna"


async def test_a_claim_that_is_only_in_the_id_token_is_logged(
    provider: LoginProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """A mapper that is on for the id_token only reads like a person without groups."""
    provider.case.claims["groups"] = ["a"]
    assert "groups" not in (await provider.login()).identity.claims
    assert "sends the claim groups in the id_token only" in caplog.text


# -- signed userinfo -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="with issuer and audience"),
        pytest.param({"aud": ["other", CLIENT]}, id="several audiences"),
        pytest.param({"iss": ..., "aud": ...}, id="without either, which is allowed"),
    ],
)
async def test_signed_userinfo_is_read(provider: LoginProvider, claims: dict[str, Any]) -> None:
    """OpenID Connect Core 1.0, 5.3.2; Keycloak's setting "User info signed response algorithm"."""
    provider.signed_userinfo(groups=GROUPS, **claims)
    assert (await provider.login()).identity.claims["groups"] == GROUPS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"key": STRANGER}, "InvalidSignature", id="a stranger's signature"),
        pytest.param({"iss": "https://evil.example"}, "another issuer", id="another issuer"),
        pytest.param({"aud": "other"}, "another client", id="another client's"),
        pytest.param({"aud": []}, "another client", id="nobody's"),
        pytest.param({"sub": "ben"}, "two different people", id="another person's"),
        pytest.param({"sub": ...}, "claim sub", id="nobody"),
        pytest.param({"nonce": "x"}, "another token", id="an id_token"),
        pytest.param({"header": {"typ": "logout+jwt"}}, "another token", id="a logout token"),
        pytest.param({"header": {"alg": "none"}}, "algorithm", id="unsigned"),
        pytest.param({"header": {"alg": "HS256"}}, "algorithm of its userinfo.*RS256", id="a shared secret"),
        pytest.param({"exp": 1}, "ExpiredSignature", id="expired"),
    ],
)
async def test_signed_userinfo_is_verified(provider: LoginProvider, change: dict[str, Any], words: str) -> None:
    provider.signed_userinfo(**change)
    with pytest.raises(Refused, match=words):
        await provider.login()


async def test_encrypted_userinfo_is_refused_in_words(provider: LoginProvider) -> None:
    provider.answers_jwt(".".join([b64(json.dumps({"alg": "RSA-OAEP", "enc": "A256GCM"})), "a", "b", "c", "d"]))
    with pytest.raises(Refused, match=r"userinfo is encrypted.*administrators"):
        await provider.login()


async def test_json_with_the_type_of_a_jwt_is_no_userinfo(provider: LoginProvider) -> None:
    provider.answers_jwt('{"sub": "anna"}')
    with pytest.raises(Refused, match="not a signed token"):
        await provider.login()


# -- how the secret is sent ----------------------------------------------------------------------------------------

BASIC, POST = "client_secret_basic", "client_secret_post"


@pytest.mark.parametrize(
    ("supported", "keys", "used"),
    [
        pytest.param([BASIC], {}, BASIC, id="SATOSA: only in a header"),
        pytest.param([BASIC, "private_key_jwt"], {}, BASIC, id="a header, or a key that the portal has not"),
        pytest.param([POST], {}, POST, id="only in the form"),
        pytest.param([BASIC, POST], {}, POST, id="both"),
        pytest.param(None, {}, POST, id="not said"),
        pytest.param("client_secret_basic", {}, BASIC, id="as text"),
        pytest.param([7], {}, POST, id="nonsense"),
        pytest.param([BASIC], {"basic_auth": False}, POST, id="set against it"),
        pytest.param([POST], {"basic_auth": True}, BASIC, id="set to the header"),
    ],
)
async def test_the_discovery_document_decides_unless_it_is_configured(
    provider: LoginProvider, supported: Any, keys: dict[str, Any], used: str
) -> None:
    """OpenID Connect Discovery 1.0, 3: token_endpoint_auth_methods_supported."""
    provider.case.discovery["token_endpoint_auth_methods_supported"] = ... if supported is None else supported
    assert (await provider.login(**keys)).identity.subject == "anna"
    assert provider.used == [used]


async def test_a_provider_that_takes_only_the_header(provider: LoginProvider) -> None:
    provider.accepts = {BASIC}
    with pytest.raises(ClientRejected):
        await provider.login()
    provider.case.discovery["token_endpoint_auth_methods_supported"] = [BASIC]
    assert (await provider.login(profile="eduteams")).identity.subject == "anna"
