"""The OAuth client of a session, stored with one commit and one round of hashing instead of 16,384.

Its secret is the session's API token, which the hub has made at random and stores with one round, too: the rounds are
for secrets that somebody thought of. JupyterHub spends 3 ms on them at each start and each sign-in at a session, in its
event loop (decision 33). Clients of services are added by JupyterHub: their secrets may be an administrator's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jupyterhub import orm
from jupyterhub.utils import hash_token

#: Begins the ids of sessions' clients; those of services begin with "service-".
_OF_SESSIONS = "jupyterhub-user-"


def store_clients_cheaply(provider: Any) -> None:
    """Let JupyterHub's OAuth provider add clients of sessions with `SessionClients`."""
    provider.add_client = SessionClients(provider.db, provider.add_client).add


class SessionClients:
    """Adds the clients of sessions.

    Args:
        db: the provider's database session, which is the hub's.
        others: adds any other client.
    """

    def __init__(self, db: Any, others: Callable[..., Any]) -> None:
        self._db = db
        self._others = others

    def add(
        self,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        allowed_scopes: Iterable[str] | None = None,
        description: str = "",
    ) -> Any:
        """Add a client, or change it. `User.spawn` commits it with the session's record."""
        if not client_id.startswith(_OF_SESSIONS) or not client_secret:
            return self._others(client_id, client_secret, redirect_uri, allowed_scopes, description)
        client = self._db.query(orm.OAuthClient).filter_by(identifier=client_id).one_or_none()
        if client is None:
            client = orm.OAuthClient(identifier=client_id)
            self._db.add(client)
        client.secret = hash_token(
            client_secret, salt=orm.APIToken.generated_salt_bytes, rounds=orm.APIToken.generated_rounds
        )
        client.redirect_uri = redirect_uri
        client.description = description or client_id
        client.allowed_scopes = list(allowed_scopes or ())
        return client
