"""What an authenticator keeps of a login: the walk of a whole login is tests/hub."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from daas_hub.authenticators.umbrella import MAX_CLAIM_BYTES, UmbrellaAuthenticator, kept_claims
from jupyterhub.crypto import CryptKeeper
from traitlets.config import Config

from daas_hub.facility import Facility
from daas_hub.identity import Identity

ISSUER = "https://login.example.org/realms/users"


def test_the_access_token_goes_with_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that are asked in the person's name find it there; after a refresh, the new one (L3, F7)."""
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    CryptKeeper.clear_instance()
    facility = SimpleNamespace(claims=frozenset())
    monkeypatch.setattr(Facility, "of", lambda _config: facility)
    settings = {"oidc_issuer": ISSUER, "client_id": "daas-hub", "client_secret": "x"}
    authenticator = UmbrellaAuthenticator(config=Config({"UmbrellaAuthenticator": settings}))
    for token in ("first", "second"):
        state = authenticator.build_auth_state_dict({"access_token": token}, {"sub": "anna", "name": "Anna"})
        identity = Identity.from_state(state["identity"])
        assert identity == Identity(ISSUER, "anna", "Anna")
        assert identity is not None
        assert identity.access_token == token


def test_only_claims_that_are_read_are_kept() -> None:
    """ES20: what nothing reads is not at rest anywhere, encrypted or not."""
    told = {"sub": "4711", "email": "anna@example.org", "uidNumber": 25001, "groups": ["a"]}
    assert kept_claims(told, frozenset({"uidNumber", "groups", "absent"})) == {"uidNumber": 25001, "groups": ["a"]}
    assert kept_claims(told, frozenset()) == {}


def test_a_claim_as_large_as_a_flood_is_not_kept() -> None:
    told = {"groups": ["x" * 100] * 1000, "few": ["x" * 100] * 10}
    assert set(kept_claims(told, frozenset(told))) == {"few"}
    assert kept_claims({"text": "x" * MAX_CLAIM_BYTES}, frozenset({"text"})) == {}
