"""Who a user of the hub is: what UmbrellaAuthenticator keeps, or the answer of the administrator's own function."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.accounts import Identity
from daas_hub.accounts.hub_user import identity_of_user
from daas_hub.errors import ConfigurationError

ANNA = Identity("https://login.example.org", "anna")


class User:
    """A user of the hub, as far as the question needs one."""

    name = "anna"

    def __init__(self, auth_state: dict[str, Any] | None) -> None:
        self._auth_state = auth_state

    async def get_auth_state(self) -> dict[str, Any] | None:
        return self._auth_state


@pytest.mark.parametrize(
    ("auth_state", "identity"),
    [
        pytest.param({"identity": ANNA.as_state()}, ANNA, id="kept"),
        pytest.param({}, None, id="ended"),
        pytest.param(None, None, id="no-auth_state"),
        pytest.param({"identity": {"issuer": "https://login.example.org"}}, None, id="half"),
    ],
)
async def test_without_a_function_the_login_is_read(auth_state: dict[str, Any] | None, identity: Identity) -> None:
    assert await identity_of_user(User(auth_state), None) == identity


async def later(user: User, auth_state: dict[str, Any]) -> Identity:
    return Identity("https://login.example.org", auth_state["sub"])


@pytest.mark.parametrize(
    ("identity_of", "identity"),
    [
        pytest.param(lambda user, auth_state: Identity("https://login.example.org", user.name), ANNA, id="by-name"),
        pytest.param(later, ANNA, id="async"),
        pytest.param(lambda user, auth_state: None, None, id="refused"),
    ],
)
async def test_the_function_decides(identity_of: Any, identity: Identity | None) -> None:
    """Also where auth_state holds an identity: there is one answer, and it is the administrator's."""
    state = {"sub": "anna", "identity": Identity("https://login.example.org", "somebody").as_state()}
    assert await identity_of_user(User(state), identity_of) == identity


@pytest.mark.parametrize(
    ("identity_of", "words"),
    [
        pytest.param(lambda user, auth_state: auth_state["no"], "raised KeyError for user anna", id="raises"),
        pytest.param(lambda user, auth_state: user.name, "returned a str for user anna", id="a-name"),
        pytest.param(lambda user: ANNA, "raised TypeError for user anna", id="wrong-arguments"),
    ],
)
async def test_a_function_that_does_not_work_is_the_configurations_fault(identity_of: Any, words: str) -> None:
    """Not the person's: they read that the portal is misconfigured. What the login holds is in no message."""
    with pytest.raises(ConfigurationError, match=words) as refused:
        await identity_of_user(User({"token": "secret"}), identity_of)
    assert refused.value.setting == "Facility.identity_of"
    assert not refused.value.for_user
    assert "secret" not in str(refused.value)
