"""`daas-hub doctor --login`: a person signs in with a browser of their own, and what came is told with its remedy.

From the tokens on it is the login of the hub (`OIDCMethod`): the same checks, the same identity.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daas_hub.accounts import Identity
from daas_hub.authenticators.doctor.checks import what_came
from daas_hub.authenticators.errors import DeviceLoginFailed
from daas_hub.authenticators.login_methods import LoginMethod
from daas_hub.authenticators.oidc.device_flow import DeviceAuthorization
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.oidc.provider import is_safe_url
from daas_hub.errors import Refused, SourceUnavailable
from daas_hub.findings import Finding, not_checked, ok, problem

_KEY = "login.test"
_BROWSER = "Or sign in once in a browser, and check the rest with --as SUBJECT."


async def sign_in_once(
    methods: Mapping[str, LoginMethod],
    name: str,
    wanted: frozenset[str],
    tell: Callable[[str], None],
    *,
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Identity | None, list[Finding]]:
    """Have a person sign in at a provider.

    Args:
        name: the login method; "" for the first that is a provider.
        wanted: the claims that the configuration reads.
        tell: shows the person where to go, while it is waited for them.
        sleep, clock: in seconds; a test has its own.

    Returns:
        Who it is, as at a login of the hub; None if nobody signed in.
    """
    providers = {one.name: one for one in methods.values() if isinstance(one, OIDCMethod)}
    method = providers.get(name) if name else next(iter(providers.values()), None)
    if method is None:
        return None, [_no_such_method(methods, name, sorted(providers))]
    issuer, did = method.settings.issuer, f"device sign-in at {method.settings.issuer}"
    try:
        if refusal := _cannot_begin(method, did, (await method.provider.endpoints()).device):
            return None, [refusal]
        login = await method.sign_in_elsewhere(lambda one: tell(_words(issuer, one)), sleep=sleep, clock=clock)
    except DeviceLoginFailed as refused:
        return None, [problem(_KEY, did, refused.message, _remedy(method, refused.error))]
    except (Refused, SourceUnavailable) as error:
        return None, [problem(_KEY, did, what_came(error), _remedy_of_answer(error))]
    identity = login.identity
    shown = f" ({identity.display_name!r})" if identity.display_name else ""
    got = f"accepted as a login of the portal; subject {identity.subject}{shown}"
    return identity, [ok(_KEY, did, got), _claims(identity, wanted)]


def _words(issuer: str, invitation: DeviceAuthorization) -> str:
    lines = [
        f"Sign in at {issuer} as the user to check, in any browser:",
        f"  open       {invitation.address}",
        f"  and enter  {invitation.code}",
    ]
    if invitation.whole_address:
        lines.append(f"  or open    {invitation.whole_address}")
    return "\n".join([*lines, f"Waiting up to {invitation.seconds / 60:.0f} minutes."])


def _no_such_method(methods: Mapping[str, LoginMethod], name: str, providers: list[str]) -> Finding:
    did = f"device sign-in through {name!r}" if name else "device sign-in"
    if name in methods or not name:
        why = "only OpenID Connect providers support this: sign in once in a browser"
        return not_checked(_KEY, did, why)
    known = f"Known: {', '.join(providers)}." if providers else "There is no provider; sign in once in a browser."
    return problem(_KEY, did, "there is no such login method", known)


def _cannot_begin(method: OIDCMethod, did: str, address: str) -> Finding | None:
    if not address:
        return problem(_KEY, did, "it has no device_authorization_endpoint", _allow(method))
    if not is_safe_url(address):
        remedy = "The discovery document contains a non-HTTPS endpoint; the provider's administrators must fix this."
        return problem(_KEY, did, "its device_authorization_endpoint is not HTTPS", remedy)
    return None


def _allow(method: OIDCMethod) -> str:
    return (
        "Enable the OAuth 2.0 Device Authorization Grant (RFC 8628) at the provider, and allow it for the client "
        f"{method.settings.client_id!r}. {_BROWSER}"
    )


def _remedy(method: OIDCMethod, error: str) -> str:
    # some providers say of a client that may not do it no more than that the request is not one for it
    if error in ("unauthorized_client", "unsupported_grant_type", "invalid_request"):
        return _allow(method)
    if error == "invalid_client":
        return "Copy client_id and secret from the client's page at the provider, and check basic_auth."
    if error == "invalid_scope":
        return f"Allow {' '.join(method.settings.scope)!r} for this client, or set scope."
    if error == "access_denied":
        return (
            "Try again, and consent at the provider. If nobody declined there, a policy of the provider refuses this "
            "user or client; see its log."
        )
    if error == "expired_token":
        return "The code was not entered in time. Try again."
    return f"See the provider's log. {_BROWSER}"


def _remedy_of_answer(error: Refused | SourceUnavailable) -> str:
    if isinstance(error, SourceUnavailable):
        return (
            "Its endpoints must return JSON to this machine, without redirects "
            f"(proxies, firewall, certificate). {_BROWSER}"
        )
    return (
        "The portal's login makes the same checks. Compare issuer, client_id, scope, subject_claims and "
        "required_assurance with the provider's configuration of this client and user."
    )


def _claims(identity: Identity, wanted: frozenset[str]) -> Finding:
    """Look whether the provider tells what the configuration reads."""
    key, did = "login.test.claims", "looked for the claims that are configured"
    got = f"received {', '.join(sorted(identity.claims)) or 'none'}"
    if missing := sorted(wanted - set(identity.claims)):
        remedy = (
            "Have the provider release them (scopes, mappers), or name others in the settings of accounts and roles."
        )
        return problem(key, did, f"{got}; missing {', '.join(missing)}", remedy)
    return ok(key, did, got)
