"""`daas-hub doctor --login`: a user signs in with a device code, and failures are reported with a fix.

Once there are tokens, it is a login of the hub (`OIDCMethod`): the same checks, the same identity.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daas_hub.accounts import Identity
from daas_hub.authenticators.doctor.checks import error_text
from daas_hub.authenticators.errors import DeviceLoginFailed
from daas_hub.authenticators.login_methods import LoginMethod
from daas_hub.authenticators.oidc.device_flow import DeviceAuthorization
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.oidc.provider import is_safe_url
from daas_hub.errors import Refused, SourceUnavailable
from daas_hub.findings import Finding, not_checked, ok, problem

_KEY = "login.test"
_BROWSER = "Alternatively, sign in once in a browser, and run the other checks with --as SUBJECT."


async def sign_in_once(
    methods: Mapping[str, LoginMethod],
    name: str,
    claims: frozenset[str],
    show: Callable[[str], None],
    *,
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Identity | None, list[Finding]]:
    """Ask a user to sign in at a provider, and check the login.

    Args:
        name: the login method; "" for the first provider.
        claims: those the configuration uses.
        show: shows the user where to sign in.
        sleep, clock: in seconds; replaced by tests.

    Returns:
        the identity, as at a login of the hub; None if nobody signed in.
    """
    providers = {one.name: one for one in methods.values() if isinstance(one, OIDCMethod)}
    method = providers.get(name) if name else next(iter(providers.values()), None)
    if method is None:
        return None, [_no_such_method(methods, name, sorted(providers))]
    issuer, check = method.settings.issuer, f"sign in at {method.settings.issuer} with a device code"
    try:
        if refusal := _problem_before(method, check, (await method.provider.endpoints()).device):
            return None, [refusal]
        login = await method.sign_in_elsewhere(lambda one: show(_invitation(issuer, one)), sleep=sleep, clock=clock)
    except DeviceLoginFailed as refused:
        return None, [problem(_KEY, check, refused.message, _remedy(method, refused.error))]
    except (Refused, SourceUnavailable) as error:
        return None, [problem(_KEY, check, error_text(error), _remedy_of_answer(error))]
    identity = login.identity
    shown = f" ({identity.display_name!r})" if identity.display_name else ""
    result = f"accepted as a login of the portal; subject {identity.subject}{shown}"
    return identity, [ok(_KEY, check, result), _claims(identity, claims)]


def _invitation(issuer: str, device: DeviceAuthorization) -> str:
    lines = [
        f"Sign in at {issuer}, in any browser, as the person to run the checks as:",
        f"  open       {device.address}",
        f"  and enter  {device.code}",
    ]
    if device.whole_address:
        lines.append(f"  or open    {device.whole_address}")
    return "\n".join([*lines, f"Waiting up to {device.seconds / 60:.0f} minutes."])


def _no_such_method(methods: Mapping[str, LoginMethod], name: str, providers: list[str]) -> Finding:
    check = f"sign in through {name!r}" if name else "sign in with a device code"
    if name in methods or not name:
        why = "only OpenID Connect providers support this: sign in once in a browser"
        return not_checked(_KEY, check, why)
    known = f"Known: {', '.join(providers)}." if providers else "No provider is configured; sign in once in a browser."
    return problem(_KEY, check, "there is no such login method", known)


def _problem_before(method: OIDCMethod, check: str, address: str) -> Finding | None:
    if not address:
        return problem(_KEY, check, "the discovery document has no device_authorization_endpoint", _allow(method))
    if not is_safe_url(address):
        fix = "The discovery document contains a non-HTTPS endpoint; the provider's administrators must fix this."
        return problem(_KEY, check, "the device_authorization_endpoint does not use HTTPS", fix)
    return None


def _allow(method: OIDCMethod) -> str:
    return (
        "Enable the OAuth 2.0 Device Authorization Grant (RFC 8628) at the provider for the client "
        f"{method.settings.client_id!r}. {_BROWSER}"
    )


def _remedy(method: OIDCMethod, error: str) -> str:
    # some providers report a client that may not use this grant as an invalid request
    if error in ("unauthorized_client", "unsupported_grant_type", "invalid_request"):
        return _allow(method)
    if error == "invalid_client":
        return "Copy client_id and the secret from the client's page at the provider, and check basic_auth."
    if error == "invalid_scope":
        return f"Allow {' '.join(method.settings.scope)!r} for this client, or set scope."
    if error == "access_denied":
        return (
            "Run the command again, and agree at the provider. If nobody declined, the provider's policy denies this "
            "person or this client; see its log."
        )
    if error == "expired_token":
        return "The code was not entered in time. Run the command again."
    return f"See the provider's log. {_BROWSER}"


def _remedy_of_answer(error: Refused | SourceUnavailable) -> str:
    if isinstance(error, SourceUnavailable):
        return (
            "This machine must be able to reach the provider's endpoints, which must return JSON and no redirects "
            f"(web proxy, firewall, certificate). {_BROWSER}"
        )
    return (
        "A login of the portal fails in the same way. Compare issuer, client_id, scope, subject_claims and "
        "required_assurance with the provider's settings of this client and this person."
    )


def _claims(identity: Identity, wanted: frozenset[str]) -> Finding:
    """Check that the provider sends the claims that the configuration uses."""
    key, check = "login.test.claims", "check the claims that the configuration uses"
    result = f"received: {', '.join(sorted(identity.claims)) or 'none'}"
    if missing := sorted(wanted - set(identity.claims)):
        fix = "Configure the provider to send them (scopes, mappers), or use other claims for accounts and roles."
        return problem(key, check, f"{result}; missing: {', '.join(missing)}", fix)
    return ok(key, check, result)
