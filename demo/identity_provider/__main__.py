"""Run the demo's identity provider: `python -m daas_hub.demo.identity_provider PORT`, on 127.0.0.1 only."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import uvicorn
from authlib.oauth2.rfc6749 import RefreshTokenGrant  # type: ignore[import-untyped]
from jinja2 import ChoiceLoader, FileSystemLoader

with warnings.catch_warnings(record=True):
    # the provider uses parts of its library that are going away, which tells nobody here what to do
    from oidc_provider_mock import User, app

from daas_hub.demo.ports import LOOPBACK
from daas_hub.demo.profile import PEOPLE


def main(port: int) -> None:
    """Serve until ended."""
    people = [User(sub=sub, claims={"name": name, "preferred_username": sub}) for sub, (name, _) in PEOPLE.items()]
    provider = app(user_claims=people, require_nonce=True)
    # its own pages load a stylesheet from another host, and its debugger would run code for anybody who reaches it
    provider.debug = False
    provider.wsgi_app = provider.wsgi_app.app
    ours = FileSystemLoader(Path(__file__).parent / "templates")
    provider.jinja_loader = ChoiceLoader([ours, provider.jinja_loader])
    described = {sub: {"name": name, "description": description} for sub, (name, description) in PEOPLE.items()}
    provider.jinja_env.globals["people"] = described
    # it takes a client's secret in the form for a login, and by default only in the header for a renewal
    RefreshTokenGrant.TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain http, which never leaves this machine
    uvicorn.run(provider, interface="wsgi", host=LOOPBACK, port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
