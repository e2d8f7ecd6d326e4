"""Checks of login providers for `daas-hub doctor`: discovery document, keys, client credentials, redirect URI.

No password is needed. An invalid authorisation code shows whether the client secret is right, because a provider
authenticates the client first. An authorisation request with `prompt=none` shows whether the redirect URI is
registered, because a provider redirects nobody to an unknown one.
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, urlsplit

from daas_hub.accounts.passwords import PasswordSource
from daas_hub.accounts.sources.ldap.lockout_policy import LockoutPolicy
from daas_hub.authenticators.errors import ClientRejected
from daas_hub.authenticators.oidc.http import service_at
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.errors import DaasError, ErrorKind, Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked, ok, problem, warning


async def examine_provider(
    method: OIDCMethod, facility: Facility, *, callback: str, access_token: str = ""
) -> list[Finding]:
    """Run all checks of one provider.

    Args:
        callback: the redirect URI registered there; "" if it is not known.
        access_token: a person's, to fetch their claims; "" for none.
    """
    issuer = method.settings.issuer
    key, check = "login.discovery", f"fetch the discovery document of {issuer}"
    try:
        endpoints = await method.provider.endpoints()
    except SourceUnavailable as error:
        return [problem(key, check, error_text(error), _remedy_of_discovery(error, issuer))]
    findings = [ok(key, check, "the issuer matches, and all endpoints use HTTPS")]
    findings.append(await _keys(method))
    findings.append(await _client(method))
    findings.append(await _callback(method, endpoints.authorize, callback))
    findings += _issuers(method, facility)
    if access_token:
        findings.append(await _claims(method, facility, access_token))
    if not endpoints.end_session:
        check = f"look up the end_session_endpoint of {issuer}"
        findings.append(ok("login.logout", check, "it has none; signing out ends only the portal's login"))
    return findings


def error_text(error: DaasError) -> str:
    """Return an error of a provider for an administrator."""
    return f"{error.message} {error.detail}".strip()


def _remedy_of_discovery(error: SourceUnavailable, issuer: str) -> str:
    if error.kind is ErrorKind.ISSUER_MISMATCH:
        return "Copy `issuer` exactly from the discovery document, with or without the trailing slash."
    if error.kind is ErrorKind.INSECURE_ENDPOINT:
        return "The discovery document contains non-HTTPS endpoints; the provider's administrators must fix this."
    return (
        f"Fetch {issuer.rstrip('/')}/.well-known/openid-configuration from this machine. Check the issuer, that the "
        "provider runs, that this machine trusts its certificate, and may reach it (firewall, web proxy)."
    )


async def examine_passwords(method: PasswordMethod) -> Finding:
    """Check a password of a name that cannot exist: the source must respond, and refuse it."""
    key, check = "login.passwords", f"check the password of a person who cannot exist ({method.issuer})"
    try:
        accepted = await method.source.check(f"nobody-{secrets.token_hex(4)}", secrets.token_hex(16))
    except DaasError as error:
        fix = (
            "Check that the service (LdapAccounts.servers, or PasswordLogin.login_url) runs, and that this machine may "
            "reach it. See also the results under Accounts."
        )
        return problem(key, check, error_text(error), fix)
    if accepted:
        return problem(key, check, f"accepted as {accepted}", "It accepts any password. Do not use it.")
    return ok(key, check, "refused, as it should be; sign in once by hand to check that a correct one is accepted")


async def examine_lockout(method: PasswordMethod) -> Finding:
    """Compare the number of wrong passwords that the portal passes on with the one that locks an account."""
    source = method.source
    key, check = "login.lockout", f"compare the limit of wrong passwords with the one of the source ({method.issuer})"
    advice = f"keep PasswordLogin.max_failures ({source.max_failures}) below its number of wrong passwords"
    if source.lockout is None:
        return not_checked(key, check, f"the source cannot be asked for it; {advice}")
    try:
        policy = await source.lockout()
    except DaasError as error:
        return not_checked(key, check, error_text(error))
    if not policy.source:
        return not_checked(key, check, f"bind_dn cannot read the password policy; {advice}")
    result, fix = _compared(source, policy)
    return warning(key, check, result, fix) if fix else ok(key, check, result)


def _compared(source: PasswordSource, policy: LockoutPolicy) -> tuple[str, str]:
    """Return how the limits compare, and what to do; "" for nothing. Pure."""
    if not policy.failures:
        return f"wrong passwords lock no account ({policy.source})", ""
    result = (
        f"the portal passes on {source.max_failures} in {source.failures_window_s:g} s; {policy.failures} lock an "
        f"account ({policy.source})"
    )
    if source.max_failures >= policy.failures:
        fix = f"Set PasswordLogin.max_failures to {max(1, policy.failures - 1)} or less."
        return f"{result}: guesses at the portal can lock people out of the facility", fix
    if not policy.window_s:
        fix = "Set an interval in the directory's policy (pwdFailureCountInterval), after which failures are forgotten."
        return f"{result}, and are counted until a correct password", fix
    if source.failures_window_s < policy.window_s:
        fix = f"Set PasswordLogin.failures_window_s to {policy.window_s:g} or more."
        return f"{result}, which counts them for {policy.window_s:g} s", fix
    return result, ""


async def _keys(method: OIDCMethod) -> Finding:
    check = f"fetch the signing keys of {method.settings.issuer}"
    try:
        count = await method.provider.count_keys()
    except SourceUnavailable as error:
        return problem(
            "login.keys", check, error_text(error), "The provider's jwks_uri must return its public keys as JSON."
        )
    if not count:
        return problem(
            "login.keys", check, "no usable key", "The provider must publish an RSA, EC or OKP key for signatures."
        )
    return ok("login.keys", check, f"{count} public key{'s' * (count != 1)}")


async def _client(method: OIDCMethod) -> Finding:
    """Redeem an invalid code: the code must be refused, and the client accepted."""
    key, check = (
        "login.client",
        f"test the credentials of {method.settings.client_id!r} at {method.settings.issuer} with an invalid code",
    )
    try:
        await method.redeem_invalid_code(secrets.token_hex(16))
    except Refused:
        return ok(key, check, "the code was refused, and the client accepted")
    except SourceUnavailable as error:
        if isinstance(error, ClientRejected):
            fix = "Copy client_id and the secret from the client's page at the provider, and check basic_auth."
            return problem(key, check, error.detail, fix)
        return problem(key, check, error_text(error), "The provider's token_endpoint must answer this machine.")
    return problem(key, check, "tokens were issued for it", "This provider accepts any code. Do not use it.")


async def _callback(method: OIDCMethod, authorize: str, callback: str) -> Finding:
    """Send an authorisation request with `prompt=none`, without cookies: the error must come back to the callback."""
    key, check = "login.callback", f"check that {method.settings.issuer} knows the redirect URI {callback}"
    if not callback:
        why = "the portal's address is not known: set JupyterHub.public_url"
        return not_checked(key, "check the redirect URI", why)
    word = secrets.token_hex(16)
    address = await method.begin(state=word, verifier=word, challenge="A" * 43, callback=callback)
    try:
        async with service_at(address, method.settings.http).client() as provider:
            status, place = await provider.location_of(f"{address}&prompt=none", "a sign-in without a page")
    except SourceUnavailable as error:
        return problem(key, check, error_text(error), "The provider's authorization_endpoint must answer this machine.")
    said = parse_qs(urlsplit(place).query).get("error", [""])[0] if place.startswith(callback) else None
    if status in (302, 303, 307) and said is not None:
        return _judged(key, check, said, " ".join(method.settings.scope))
    client = method.settings.client_id
    if 400 <= status < 500:
        fix = f"Register exactly {callback} as redirect URI of the client {client!r}."
        return problem(key, check, f"status {status} instead of a redirect", fix)
    fix = f"Sign in once by hand, and check that {callback} is a redirect URI of the client {client!r}."
    return warning(key, check, f"status {status}, which is inconclusive", fix)


def _judged(key: str, check: str, said: str, scope: str) -> Finding:
    """Return the finding for the error sent to the callback; "" for none. Pure."""
    if said == "invalid_scope":
        return problem(key, check, f"invalid_scope: {scope!r}", "Allow these scopes for this client, or set scope.")
    if said in ("unauthorized_client", "unsupported_response_type", "invalid_request"):
        return problem(key, check, said, "Allow the authorization code flow with PKCE (S256) for this client.")
    return ok(key, check, f"it is registered; the provider answers {said or 'with a code'}")


def _issuers(method: OIDCMethod, facility: Facility) -> list[Finding]:
    """Check that a source of accounts is configured for the logins of this provider."""
    asked = {name: issuers for name, issuers in facility.issuers_by_source().items() if issuers is not None}
    issuer = method.settings.issuer
    check = f"find the sources of accounts for logins of {issuer}"
    others = [name for name, issuers in asked.items() if issuer not in issuers]
    if others and len(others) == len(facility.account_sources):
        named = sorted({one for name in others for one in asked[name]})
        return [
            problem(
                "login.issuers",
                check,
                f"none; {', '.join(others)} is configured for {', '.join(named)}",
                f'Add exactly "{issuer}" to its issuers.',
            )
        ]
    return [ok("login.issuers", check, ", ".join(name for name in facility.account_sources if name not in others))]


async def _claims(method: OIDCMethod, facility: Facility, access_token: str) -> Finding:
    """Fetch the claims of the person whose access token this is."""
    key, check = "login.userinfo", f"fetch the claims for the token of --token-file from {method.settings.issuer}"
    try:
        claims = await method.userinfo_of(access_token)
    except DaasError as error:
        return problem(key, check, error.message, "Check that it is a valid access token of this provider.")
    if claims is None:
        return problem(key, check, "the token was refused", "Get a fresh access token of this provider.")
    missing = sorted(facility.claims - set(claims))
    result = f"claims {', '.join(sorted(claims))}"
    if missing:
        fix = "Configure the provider to send them (scopes, mappers), or use other claims for accounts and roles."
        return problem(key, check, f"{result}; missing: {', '.join(missing)}, which the configuration uses", fix)
    return ok(key, check, result)
