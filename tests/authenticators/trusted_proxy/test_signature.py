"""Who may say who somebody is: a web server that proves itself, never a client's header (S1, S2, EL14).

The predecessor took HTTP_EAAHASH from anybody. Each row changes one thing of a request that is accepted as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.crypto import CryptKeeper
from tornado.httputil import HTTPHeaders
from traitlets.config import Config

from daas_hub.accounts import Identity
from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.trusted_proxy.method import TrustedProxyMethod, client_of_proxy
from daas_hub.authenticators.trusted_proxy.settings import ProxySettings, read_proxy
from daas_hub.authenticators.trusted_proxy.signature import (
    MAX_NONCES,
    NoSubject,
    ProofRules,
    Proofs,
    UnusableSubject,
    signature_of,
)  # fmt: skip
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.errors import ConfigurationError, Refused, SourceUnavailable

SECRET = "0123456789abcdef0123456789abcdef"
NOW, HOST, PATH = 1_800_000_000, "daas.facility.org", "/hub/proxy_login"
HASH = "b0744680-2aa3-4b12-8627-95d23e5e4af9"
NONCE = "n" * 20
ISSUER = "https://umbrellaid.org/idp/shibboleth"
RULES = ProofRules(secret=lambda: SECRET, proof="signature")


def signed(**changed: Any) -> str:
    """Return a signature over other parts than were sent."""
    parts: dict[str, Any] = {"time": NOW, "nonce": NONCE, "host": HOST, "path": PATH, "subject": HASH}
    return signature_of(changed.pop("secret", SECRET), **(parts | changed))


GOOD = [("X-Daas-Subject", HASH), ("X-Daas-Proof", signed())]


def subject(
    headers: list[tuple[str, str]], rules: ProofRules = RULES, proofs: Proofs | None = None, peer: str = "127.0.0.1"
) -> str:
    # the hub's own reader refuses some of these before; here they come as they are
    def sent(wanted: str) -> list[str]:
        return [value for name, value in headers if name.lower() == wanted.lower()]

    return (proofs or Proofs(rules, lambda: NOW)).subject_of(sent, host=HOST, path=PATH, peer=peer)


def with_proof(proof: str) -> list[tuple[str, str]]:
    return [("X-Daas-Subject", HASH), ("X-Daas-Proof", proof)]


def test_a_signed_request_is_accepted() -> None:
    """The control: what the rows below change is accepted as it stands."""
    assert subject(GOOD) == HASH


@pytest.mark.parametrize("host", ["DAAS.facility.org", "daas.facility.org"])
def test_the_case_of_a_host_is_nobodys_affair(host: str) -> None:
    assert subject(with_proof(signed(host=host))) == HASH


FORGED: dict[str, list[tuple[str, str]]] = {
    "no header at all": [],
    "a subject alone": GOOD[:1],
    "a proof alone": GOOD[1:],
    "the predecessor's header": [("Eaahash", HASH)],
    "the predecessor's header as CGI": [("HTTP_EAAHASH", HASH), ("HTTP_UID", "anna")],
    "underscores": [("X_Daas_Subject", HASH), ("X_Daas_Proof", signed())],
    "two subjects": [*GOOD, ("X-Daas-Subject", "admin")],
    "the same subject twice": [*GOOD, GOOD[0]],
    "two proofs": [*GOOD, GOOD[1]],
    "two subjects joined on the way": [("X-Daas-Subject", f"{HASH}, admin"), GOOD[1]],
    "another subject": [("X-Daas-Subject", "admin"), GOOD[1]],
    "the subject in capitals": [("X-Daas-Subject", HASH.upper()), GOOD[1]],
    "no subject": [("X-Daas-Subject", ""), ("X-Daas-Proof", signed(subject=""))],
    "a blank": [("X-Daas-Subject", "a b"), ("X-Daas-Proof", signed(subject="a b"))],
    "a letter that looks alike": [("X-Daas-Subject", "аnna"), ("X-Daas-Proof", signed(subject="аnna"))],
    "a very long subject": [("X-Daas-Subject", "a" * 256), ("X-Daas-Proof", signed(subject="a" * 256))],
    "(null), as a web server writes nothing": [
        ("X-Daas-Subject", "(null)"),
        ("X-Daas-Proof", signed(subject="(null)")),
    ],
    "another secret": with_proof(signed(secret="f" * 32)),
    "an empty secret": with_proof(signed(secret="")),
    "the secret itself": with_proof(SECRET),
    "another host": with_proof(signed(host="other.facility.org")),
    "another path": with_proof(signed(path="/hub/admin")),
    "the path with a slash": with_proof(signed(path=PATH + "/")),
    "a signature of yesterday": with_proof(signed(time=NOW - 86_400)),
    "a signature of 61 seconds ago": with_proof(signed(time=NOW - 61)),
    "a signature of tomorrow": with_proof(signed(time=NOW + 86_400)),
    "another time than is signed": with_proof(signed().replace(f"t={NOW}", f"t={NOW + 1}")),
    "another nonce than is signed": with_proof(signed().replace("n" * 20, "m" * 20)),
    "a short nonce": with_proof(signed(nonce="n" * 15)),
    "no nonce": with_proof(signed(nonce="")),
    "one letter less": with_proof(signed()[:-1]),
    "one letter more": with_proof(signed() + "0"),
    "one bit": with_proof(signed()[:-1] + ("0" if signed()[-1] != "0" else "1")),
    "the sum in capitals": with_proof(signed().upper().replace("T=", "t=").replace("N=", "n=").replace("S=", "s=")),
    "a blank before": with_proof(" " + signed().replace("s=", "s= ")),
    "parts in another order": with_proof(",".join(reversed(signed().split(",")))),
    "a part twice": with_proof(f"t={NOW}," + signed()),
    "no sum": with_proof(signed().partition(",s=")[0]),
    "an empty sum": with_proof(signed().partition(",s=")[0] + ",s="),
    "a negative time": with_proof(signed(time=-NOW)),
    "a line more in the subject": [("X-Daas-Subject", "a%0aadmin"), GOOD[1]],
}


@pytest.mark.parametrize("forged", FORGED)
def test_nothing_else_is(forged: str) -> None:
    with pytest.raises(Refused) as told:
        subject(FORGED[forged])
    assert HASH not in str(told.value)
    assert SECRET not in str(told.value)


def test_there_are_enough() -> None:
    assert len(FORGED) >= 30


def test_a_signature_is_good_for_once() -> None:
    proofs = Proofs(RULES, lambda: NOW)
    assert subject(GOOD, proofs=proofs) == HASH
    with pytest.raises(Refused, match="used already"):
        subject(GOOD, proofs=proofs)
    assert subject(with_proof(signed(nonce="o" * 20)), proofs=proofs) == HASH


def test_a_signature_is_not_good_again_when_its_nonce_is_forgotten() -> None:
    """The time it is remembered is longer than the time it is good for, both ways."""
    now = [float(NOW - 60)]
    proofs = Proofs(RULES, lambda: now[0])
    assert subject(GOOD, proofs=proofs) == HASH
    for later in (1.0, 59.0, 119.0, 121.0):
        now[0] = NOW - 60 + later
        with pytest.raises(Refused):
            subject(GOOD, proofs=proofs)


def test_what_is_remembered_is_bounded() -> None:
    proofs = Proofs(RULES, lambda: NOW)
    proofs._seen = {str(number): NOW + 100.0 for number in range(MAX_NONCES)}
    with pytest.raises(Refused, match="too many"):
        subject(GOOD, proofs=proofs)
    proofs._seen = {str(number): NOW - 1.0 for number in range(MAX_NONCES)}
    assert subject(GOOD, proofs=proofs) == HASH


@pytest.mark.parametrize(
    ("proof", "accepted"),
    [(SECRET, True), (SECRET[:-1], False), ("", False), (SECRET.upper(), False), (signed(), False)],
)
def test_the_secret_itself_where_that_is_configured(proof: str, accepted: bool) -> None:
    rules = replace(RULES, proof="secret")
    if accepted:
        assert subject(with_proof(proof), rules) == HASH
    else:
        with pytest.raises(Refused):
            subject(with_proof(proof), rules)


@pytest.mark.parametrize("proof", [SECRET, signed()])
def test_either_proof_where_nothing_is_configured(proof: str) -> None:
    assert subject(with_proof(proof), ProofRules(secret=lambda: SECRET)) == HASH


@pytest.mark.parametrize(
    ("peer", "accepted"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("2001:db8::1", False),
        ("localhost", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_the_secret_is_accepted_from_this_machine_only(peer: str, accepted: bool) -> None:
    """Whoever has read the secret cannot use it from elsewhere; a signature says itself what it is for."""
    rules = ProofRules(secret=lambda: SECRET)
    if accepted:
        assert subject(with_proof(SECRET), rules, peer=peer) == HASH
    else:
        with pytest.raises(Refused, match="web_servers"):
            subject(with_proof(SECRET), rules, peer=peer)
    assert subject(with_proof(signed()), rules, peer=peer) == HASH


NOBODY: dict[str, tuple[list[tuple[str, str]], type[NoSubject]]] = {
    "no header": ([], NoSubject),
    "an empty one": ([("X-Daas-Subject", "")], NoSubject),
    "as Apache writes it": ([("X-Daas-Subject", "(null)")], NoSubject),
    "two values, as Shibboleth joins them": ([("X-Daas-Subject", f"{HASH};{HASH}")], UnusableSubject),
    "a blank": ([("X-Daas-Subject", "a b")], UnusableSubject),
}


@pytest.mark.parametrize("case", NOBODY)
def test_a_user_without_the_attribute(case: str) -> None:
    sent, refusal = NOBODY[case]
    rules = ProofRules(secret=lambda: SECRET)
    with pytest.raises(NoSubject) as told:
        subject([*sent, ("X-Daas-Proof", SECRET)], rules)
    assert type(told.value) is refusal
    with pytest.raises(Refused) as told_without_proof:
        subject([*sent, ("X-Daas-Proof", "0" * 32)], rules)
    assert not isinstance(told_without_proof.value, NoSubject)


@pytest.mark.parametrize(
    ("forwarded", "peer"),
    [
        ([], "10.0.0.9"),
        (["192.0.2.7"], "192.0.2.7"),
        (["127.0.0.1, 192.0.2.7"], "192.0.2.7"),
        (["127.0.0.1", "192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7,127.0.0.1"], "127.0.0.1"),
    ],
)
def test_what_a_client_forwards_itself_does_not_count(forwarded: list[str], peer: str) -> None:
    headers = HTTPHeaders()
    for value in forwarded:
        headers.add("X-Forwarded-For", value)
    context = SimpleNamespace(address=("10.0.0.9", 1234))
    request = SimpleNamespace(headers=headers, connection=SimpleNamespace(context=context))
    assert client_of_proxy(request) == peer  # type: ignore[arg-type]


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    file = tmp_path / "proxy"
    file.write_text(SECRET)
    file.chmod(0o600)
    return str(file)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"issuer": ""}, "is not set"),
        ({"secret_file": ""}, "is not set"),
        ({"secret_file": "/nowhere/proxy"}, "cannot be read"),
        ({"isuer": "x"}, "Did you mean 'issuer'"),
        ({"proof": "header"}, "signature"),
        ({"max_age_s": 0}, "not a positive number"),
        ({"max_age_s": "60"}, "wrong type"),
        ({"hours": -1}, "not a positive number"),
        ({"hours": True}, "wrong type"),
        ({"web_servers": "192.0.2.7"}, "wrong type"),
        ({"web_servers": ["proxy.example"]}, "proxy.example"),
        ({"proof_header": "X Proof"}, "not the name of a header"),
        ({"subject_header": "X-Daas-Proof"}, "is the header of the subject"),
        ({"cookies": "session"}, "wrong type"),
        ({"cookies": ["a,b"]}, "not the name of a cookie"),
        ({"logout_url": "//evil.example"}, "is no path"),
        ({"logout_url": "http://h/"}, "is no path"),
    ],
)
def test_settings_that_cannot_work(secret_file: str, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_proxy("x", {"issuer": ISSUER, "secret_file": secret_file} | changed)


def test_a_secret_that_can_be_guessed(secret_file: str) -> None:
    Path(secret_file).write_text("short")
    with pytest.raises(ConfigurationError, match="fewer than 32") as told:
        read_proxy("x", {"issuer": ISSUER, "secret_file": secret_file})
    assert "short" not in str(told.value)


# -- the login method -----------------------------------------------------------------------------------------------


def method(secret_file: str, clock: Callable[[], float] = lambda: NOW) -> TrustedProxyMethod:
    settings: ProxySettings = read_proxy("x", {"issuer": ISSUER, "secret_file": secret_file, "hours": 8})
    return TrustedProxyMethod(settings, clock)


def request() -> Any:
    headers = HTTPHeaders()
    for name, value in GOOD:
        headers.add(name, value)
    return SimpleNamespace(request=SimpleNamespace(headers=headers, host=HOST, path=PATH, connection=None))


async def test_an_identity_of_that_issuer_good_for_its_hours(secret_file: str) -> None:
    now = [float(NOW)]
    proxy = method(secret_file, lambda: now[0])
    login = proxy.login_of(request())
    assert (login.identity.issuer, login.identity.subject) == (ISSUER, HASH)
    assert login.identity.claims == {"EAAHash": HASH}
    state = login.as_state(proxy.name)
    assert proxy.knows(state)
    now[0] += 7.9 * 3600
    assert (await proxy.refresh(state)).identity == login.identity
    now[0] += 0.2 * 3600
    with pytest.raises(LoginExpired, match="expired"):
        await proxy.refresh(state)
    other = Identity("https://elsewhere.example.org", HASH).as_state()
    assert not proxy.knows(state | {"identity": other})


def test_a_secret_that_goes_wrong_lets_nobody_in(secret_file: str) -> None:
    proxy = method(secret_file)
    Path(secret_file).unlink()
    with pytest.raises(SourceUnavailable):
        proxy.login_of(request())


@pytest.mark.parametrize(
    ("settings", "titles"),
    [
        ({}, ["UmbrellaID"]),
        (
            {"oidc_issuer": "https://login.example.org", "client_id": "daas", "client_secret": "x"},
            ["OpenID", "UmbrellaID"],
        ),
    ],
)
def test_it_stands_on_the_login_page_beside_providers(
    secret_file: str, settings: dict[str, Any], titles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    CryptKeeper.clear_instance()
    told = settings | {"trusted_proxy": {"issuer": ISSUER, "secret_file": secret_file}}
    door = UmbrellaAuthenticator(config=Config({"UmbrellaAuthenticator": told}))
    methods = door.login_methods("/hub/")
    assert len(methods) == len(titles)
    assert (methods[-1]["title"], methods[-1]["url"]) == ("UmbrellaID", "/hub/proxy_login")
    assert door.issuers[-1] == ISSUER
    CryptKeeper.clear_instance()


async def test_where_a_browser_signs_out(secret_file: str) -> None:
    logout = "/Shibboleth.sso/Logout?return={return_to}"
    options = {"issuer": ISSUER, "secret_file": secret_file}
    proxy = TrustedProxyMethod(read_proxy("x", options | {"logout_url": logout}))
    assert await proxy.logout_url({}, "https://h/x?y") == "/Shibboleth.sso/Logout?return=https%3A%2F%2Fh%2Fx%3Fy"
    assert proxy.logout_origins == ("https://umbrellaid.org",)
    assert await TrustedProxyMethod(read_proxy("x", options)).logout_url({}, "https://h/x") == ""
