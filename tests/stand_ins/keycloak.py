"""A real Keycloak for tests, from the folder that DAAS_TEST_KEYCLOAK names: development mode, on 127.0.0.1 only.

Its realm has what a facility's has: one confidential client with PKCE, groups with their full path, POSIX attributes as
text, and the back-channel logout URL.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from tests.live_portal import free_ports
from tests.not_tried import missing

START_TIMEOUT_S = 180.0
REALM = "users"
ADMIN = {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": "of-this-test-only"}


@dataclass
class Keycloak:
    """A running one."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def issuer(self) -> str:
        """The realm's issuer."""
        return f"{self.url}/realms/{REALM}"

    def sign_in(self, browser: requests.Session, form: requests.Response, name: str) -> requests.Response:
        """Fill in Keycloak's own form."""
        action = re.search(r'<form[^>]*action="([^"]+)"', form.text)
        assert action, form.text[:1000]
        return browser.post(html.unescape(action[1]), data={"username": name, "password": name})

    def enter_code(self, browser: requests.Session, whole_address: str, name: str) -> requests.Response:
        """Do what a person does who was shown the address of a code: sign in, and agree; give the last page."""
        page = self.sign_in(browser, browser.get(whole_address), name)
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
        assert action, page.text[:1000]
        return browser.post(urljoin(page.url, html.unescape(action[1])), data=fields | {"accept": "Yes"})

    def admin(self, method: str, path: str, **more: Any) -> requests.Response:
        """Call the realm's administration."""
        fields = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": ADMIN["KC_BOOTSTRAP_ADMIN_USERNAME"],
            "password": ADMIN["KC_BOOTSTRAP_ADMIN_PASSWORD"],
        }
        token = requests.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=fields, timeout=30)
        headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
        answer = requests.request(
            method, f"{self.url}/admin/realms/{REALM}/{path}", headers=headers, timeout=30, **more
        )
        assert answer.ok, answer.text
        return answer

    def person(self, name: str) -> str:
        """Return a person's id, which is their `sub`."""
        return str(self.admin("GET", "users", params={"username": name, "exact": "true"}).json()[0]["id"])

    def stop(self) -> None:
        """End it and the processes it started."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)


def start_keycloak(scratch: Path, *, portal: str) -> Keycloak:
    """Start one with a realm for this portal; the caller stops it."""
    folder = Path(os.environ.get("DAAS_TEST_KEYCLOAK", ""))
    if not (folder / "bin" / "kc.sh").is_file():
        missing("keycloak", "DAAS_TEST_KEYCLOAK names no folder of an unpacked Keycloak")
    home = scratch / "keycloak"
    # it writes into its own folder
    shutil.copytree(folder, home, symlinks=True)
    place = home / "data" / "import"
    place.mkdir(parents=True)
    (place / "realm.json").write_text(json.dumps(realm(portal)))
    port = free_ports(2)
    process = subprocess.Popen(
        [
            "sh", str(home / "bin" / "kc.sh"), "start-dev", "--import-realm", "--http-host=127.0.0.1",
            f"--http-port={port}", f"--http-management-port={port + 1}", "--cache=local",
        ],
        env=os.environ | ADMIN,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    running = Keycloak(f"http://127.0.0.1:{port}", process)
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(f"{running.issuer}/.well-known/openid-configuration", timeout=30).ok:
                return running
        except requests.RequestException:
            pass
        time.sleep(0.5)
    running.stop()
    raise AssertionError("Keycloak did not start")


def realm(portal: str) -> dict[str, Any]:
    """Return the realm that is imported."""
    return {
        "realm": REALM,
        "enabled": True,
        "sslRequired": "none",
        "accessTokenLifespan": 2,
        "groups": [{"name": "proposals", "subGroups": [{"name": "ma-4242"}]}],
        "users": [_person("anna", 25001), _person("ben", 25002)],
        "clients": [
            {
                "clientId": "daas-hub",
                "secret": "not-a-secret",
                "redirectUris": [f"{portal}/hub/oauth_callback"],
                "standardFlowEnabled": True,
                "attributes": {
                    "oauth2.device.authorization.grant.enabled": "true",
                    "pkce.code.challenge.method": "S256",
                    "post.logout.redirect.uris": f"{portal}/hub/logged-out",
                    "backchannel.logout.url": f"{portal}/hub/oauth_backchannel_logout",
                    "backchannel.logout.session.required": "true",
                },
                "protocolMappers": [
                    _mapper("groups", "oidc-group-membership-mapper", {"claim.name": "groups", "full.path": "true"}),
                    *(
                        _mapper(
                            name,
                            "oidc-usermodel-attribute-mapper",
                            {"user.attribute": name, "claim.name": name, "jsonType.label": "String"},
                        )
                        for name in ("uidNumber", "gidNumber")
                    ),
                ],
            }
        ],
    }


def _person(name: str, uid: int) -> dict[str, Any]:
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.org",
        "emailVerified": True,
        "firstName": name.capitalize(),
        "lastName": "Example",
        "attributes": {"uidNumber": [str(uid)], "gidNumber": [str(uid)]},
        "groups": ["/proposals/ma-4242"],
        "credentials": [{"type": "password", "value": name}],
    }


def _mapper(name: str, kind: str, config: dict[str, str]) -> dict[str, Any]:
    everywhere = {"id.token.claim": "true", "access.token.claim": "true", "userinfo.token.claim": "true"}
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config | everywhere}
