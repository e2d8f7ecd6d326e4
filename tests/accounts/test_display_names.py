"""Names of people are shown on every page: whatever a source or a provider says, they can be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from daas_hub.accounts import Account, Identity
from tests.hostile_texts import HOSTILE, is_presentable

ISSUER = "https://login.example.org"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_name_can_be_shown(text: str) -> None:
    account = Account("anna", 25001, 25001, display_name=text)
    identity = Identity(ISSUER, "anna", display_name=text)
    for shown in (account.display_name, replace(account, gid=25002).display_name, identity.display_name):
        assert is_presentable(shown, 200)
    assert Identity.from_state(json.loads(json.dumps(identity.as_state()))) == identity


@pytest.mark.parametrize("name", ["Anna Lindqvist", "Žaneta Ó Sé", "山田 花子", ""])
def test_a_name_stays_as_it_is(name: str) -> None:
    assert Account("anna", 25001, 25001, display_name=name).display_name == name
