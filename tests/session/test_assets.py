"""The files of a desktop's page: from the portal if it has the same, else from the session itself."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from daas_hub.portal.assets import SESSION_ASSETS, session_asset_addresses, session_asset_keys
from daas_hub.session.assets import asset_address, content_key
from daas_hub.session.settings import Settings, read_settings

OTHER_RELEASE = dict.fromkeys(SESSION_ASSETS, "0123456789ab")


def settings_with(assets: object) -> Settings:
    document = {"title": "Desk", "application": "desk", "applications": [], "assets": assets}
    return read_settings({"DAAS_SESSION": json.dumps(document), "JUPYTERHUB_BASE_URL": "/here/"})


def test_the_portal_offers_what_the_session_has() -> None:
    keys = session_asset_keys({"subdomain_host": ""})
    assert keys == {name: content_key(name) for name in SESSION_ASSETS}
    settings = settings_with(keys)
    addresses = [asset_address(settings, name) for name in SESSION_ASSETS]
    # what pages of the portal fetch ahead is what the session's page loads
    assert addresses == session_asset_addresses("/here/hub/", {})


@pytest.mark.parametrize("name", SESSION_ASSETS)
@pytest.mark.parametrize("assets", [{}, OTHER_RELEASE], ids=["an older hub", "another release"])
def test_a_session_with_other_files_serves_its_own(assets: dict[str, str], name: str) -> None:
    assert asset_address(settings_with(assets), name).startswith(f"static/{name}?v=")


def test_a_session_with_a_host_name_of_its_own_serves_its_own() -> None:
    """Its policy trusts no other host."""
    assert session_asset_keys({"subdomain_host": "https://portal.example"}) == {}
    assert session_asset_addresses("/hub/", {"subdomain_host": "https://portal.example"}) == []
    settings = replace(settings_with(session_asset_keys({})), hub_host="https://portal.example")
    assert asset_address(settings, "desktop.js").startswith("static/desktop.js?v=")


@pytest.mark.parametrize(
    "session",
    ["https://portal.example/here/user/a/s/", "https://PORTAL.example:443/here/user/a/s/"],
    ids=["as configured", "the same origin in other words"],
)
def test_a_hub_that_knows_its_public_address_has_them_as_well(session: str) -> None:
    settings = settings_with(session_asset_keys({}))
    public = replace(settings, hub_host="https://portal.example", public_url=session)
    addresses = [asset_address(public, name) for name in SESSION_ASSETS]
    assert addresses == session_asset_addresses("/here/hub/", {})


def test_a_session_below_another_host_name_serves_its_own() -> None:
    settings = replace(
        settings_with(session_asset_keys({})),
        hub_host="https://portal.example",
        public_url="https://anna.portal.example/user/anna/desk/",
    )
    assert asset_address(settings, "desktop.js").startswith("static/desktop.js?v=")
