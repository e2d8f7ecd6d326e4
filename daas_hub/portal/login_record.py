"""The logins that are valid, in the hub's database: a cookie alone is not enough, so signing out ends it on the server.

JupyterHub's login cookie contains a value of the person, `cookie_id`, which is the same in all of their browsers. Ours
contains a random value of this one login in addition. The table has its hash, so that a copy of the database opens no
login, and so does the session id, with which the hub marks the tokens that a login gets for sessions and services.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any

from jupyterhub import orm

from daas_hub.tables import Login

_DAY_S = 86_400.0


def session_id_of(secret: str) -> str:
    """Return the session id of a login; it reveals nothing of its cookie."""
    return hashlib.sha256(f"daas-login:{secret}".encode(errors="replace")).hexdigest()


class LoginRecord:
    """The valid logins of one hub.

    Args:
        db: the hub's database session.
        clock: seconds since 1970.
    """

    def __init__(self, db: Any, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock

    def begin(self, user_id: int, days: float) -> str:
        """Record a new login, and return the secret of its cookie."""
        now = self._clock()
        self._db.query(Login).filter(Login.expires_at < now).delete()
        secret = secrets.token_urlsafe(32)
        self._db.add(Login(session_id=session_id_of(secret), user_id=user_id, expires_at=now + days * _DAY_S))
        self._db.commit()
        return secret

    def is_valid(self, session_id: str, user_id: int) -> bool:
        """Return whether this is a login of this user that was not ended and has not expired."""
        login = self._db.get(Login, session_id)
        return login is not None and login.user_id == user_id and login.expires_at >= self._clock()

    def end(self, session_id: str) -> None:
        """End one login, with the tokens that it got for sessions and services."""
        self._db.query(Login).filter_by(session_id=session_id).delete()
        for kind in (orm.APIToken, orm.OAuthCode):
            for one in self._db.query(kind).filter_by(session_id=session_id):
                self._db.delete(one)
        self._db.commit()

    def end_all(self, user_id: int) -> None:
        """End all logins of a user; the caller commits, and ends their tokens."""
        self._db.query(Login).filter_by(user_id=user_id).delete()
