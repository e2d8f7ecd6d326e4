"""Clients of sessions: JupyterHub's own validator takes them, and storing one costs one hash and no commit."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.oauth.provider import make_provider
from sqlalchemy import event

from daas_hub.portal.session_clients import store_clients_cheaply

SESSION, SECRET = "jupyterhub-user-anna-one", "0123456789abcdef" * 2  # no secret: a test's


@pytest.fixture
def provider() -> Iterator[Any]:
    """The hub's OAuth provider with our clients, on a database in memory."""
    db = orm.new_session_factory("sqlite:///:memory:")()
    made = make_provider(lambda: db, url_prefix="/hub/api/oauth2", login_url="/hub/login")
    store_clients_cheaply(made)
    yield made
    db.close()


def authenticates(provider: Any, client_id: str, secret: str) -> bool:
    """Return whether JupyterHub takes this secret at the token endpoint."""
    request = SimpleNamespace(client_id=client_id, client_secret=secret, client=None)
    return bool(provider._validator.authenticate_client(request))


def rounds_of(client: orm.OAuthClient) -> int:
    return int(client.secret.split(":")[1])


def test_a_session_is_stored_with_one_round_and_without_a_commit_of_its_own(provider: Any) -> None:
    commits: list[None] = []
    # JupyterHub tries each connection with a transaction of its own
    provider.db.connection()
    event.listen(provider.db.get_bind(), "commit", lambda _: commits.append(None))
    client = provider.add_client(SESSION, SECRET, "/user/anna/one/oauth_callback", ["read:users"], "Server")
    assert (commits, rounds_of(client)) == ([], 1)
    provider.db.commit()
    assert (client.description, client.allowed_scopes) == ("Server", ["read:users"])
    assert provider.fetch_by_client_id(SESSION) is client
    assert authenticates(provider, SESSION, SECRET)
    assert not authenticates(provider, SESSION, SECRET[::-1])
    assert not authenticates(provider, SESSION, "")


def test_a_session_that_starts_again_has_a_new_secret_and_one_client(provider: Any) -> None:
    for secret in (SECRET, SECRET[::-1]):
        provider.add_client(SESSION, secret, "/callback")
        provider.db.commit()
    assert provider.db.query(orm.OAuthClient).filter_by(identifier=SESSION).count() == 1
    assert not authenticates(provider, SESSION, SECRET)
    assert authenticates(provider, SESSION, SECRET[::-1])


def test_the_secret_of_a_service_keeps_its_rounds(provider: Any) -> None:
    """An administrator may have thought of it."""
    client = provider.add_client("service-grafana", "a phrase of somebody", "/services/grafana/oauth_callback")
    assert rounds_of(client) == orm.APIToken.rounds > 10_000
    assert authenticates(provider, "service-grafana", "a phrase of somebody")


def test_a_client_without_a_secret_stays_without(provider: Any) -> None:
    assert provider.add_client(SESSION, "", "/callback").secret == ""
    assert not authenticates(provider, SESSION, "")
