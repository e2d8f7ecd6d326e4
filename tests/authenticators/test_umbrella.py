"""What is kept of a login: tokens and identity, encrypted by the hub; the token goes with the identity (L3, F7)."""

from __future__ import annotations

import pytest
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from jupyterhub.crypto import CryptKeeper
from traitlets.config import Config

from daas_hub.identity import Identity

ISSUER = "https://login.example.org/realms/users"


def test_the_access_token_goes_with_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that are asked in the person's name find it there; after a refresh, the new one."""
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    CryptKeeper.clear_instance()
    settings = {"oidc_issuer": ISSUER, "client_id": "daas-hub", "client_secret": "x"}
    authenticator = UmbrellaAuthenticator(config=Config({"UmbrellaAuthenticator": settings}))
    for token in ("first", "second"):
        state = authenticator.build_auth_state_dict({"access_token": token}, {"sub": "anna", "name": "Anna"})
        identity = Identity.from_state(state["identity"])
        assert identity == Identity(ISSUER, "anna", "Anna")
        assert identity is not None
        assert identity.access_token == token
