"""What `daas-hub doctor` asks the login providers: who they say they are, their keys, and whether they know the portal.

No password is needed for it. A code that is none tells whether the client's secret holds: a provider looks at the
client first. A sign-in that may show no page tells whether the callback is registered: a provider sends nobody to an
address it does not know.
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from daas_hub.authenticators.errors import ClientRejected
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.errors import DaasError, ErrorKind, Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked, ok, problem, warning

_TIMEOUT_S = 10.0


async def examine_provider(
    method: OIDCMethod, facility: Facility, *, callback: str, access_token: str = ""
) -> list[Finding]:
    """Examine one provider.

    Args:
        callback: the address that is registered there, if it is known; "" otherwise.
        access_token: a person's, to see what the provider tells of them; "" for none.
    """
    issuer = method.settings.issuer
    key, did = "login.discovery", f"read the discovery document of {issuer}"
    try:
        endpoints = await method.provider.endpoints()
    except SourceUnavailable as error:
        return [problem(key, did, what_came(error), _remedy_of_discovery(error, issuer))]
    findings = [ok(key, did, "its issuer is the configured one, and its endpoints use HTTPS")]
    findings.append(await _keys(method))
    findings.append(await _client(method))
    findings.append(await _callback(method, endpoints.authorize, callback))
    findings += _issuers(method, facility)
    if access_token:
        findings.append(await _told(method, facility, access_token))
    if not endpoints.end_session:
        did = f"looked for the logout endpoint of {issuer}"
        findings.append(ok("login.logout", did, "it has none; signing out ends the portal's login only"))
    return findings


def what_came(error: DaasError) -> str:
    """Return what a provider said or did instead, in the administrator's words."""
    return f"{error.message} {error.detail}".strip()


def _remedy_of_discovery(error: SourceUnavailable, issuer: str) -> str:
    if error.kind is ErrorKind.ISSUER_MISMATCH:
        return "Copy `issuer` exactly from the discovery document, with or without the trailing slash."
    if error.kind is ErrorKind.INSECURE_ENDPOINT:
        return "The discovery document contains non-HTTPS endpoints; the provider's administrators must fix this."
    return (
        f"Open {issuer.rstrip('/')}/.well-known/openid-configuration from this machine: is the issuer right, does the "
        "provider run, is its certificate one this machine trusts, and may this machine reach it (firewall)?"
    )


async def examine_passwords(method: PasswordMethod) -> Finding:
    """Ask the source of passwords about a name that cannot exist: it must answer, and say no."""
    key, did = "login.passwords", f"checked a random password of a user that cannot exist ({method.issuer})"
    try:
        told = await method.source.check(f"nobody-{secrets.token_hex(4)}", secrets.token_hex(16))
    except DaasError as error:
        remedy = (
            "Does the service that is asked (LdapAccounts.servers, or PasswordLogin.login_url) run, and may this "
            "machine reach it? The checks of accounts say more."
        )
        return problem(key, did, what_came(error), remedy)
    if told:
        return problem(key, did, f"accepted as {told}", "It accepts any password. Do not use it.")
    return ok(key, did, "refused; sign in once by hand to try a correct password")


async def _keys(method: OIDCMethod) -> Finding:
    did = f"read the signing keys of {method.settings.issuer}"
    try:
        count = await method.provider.count_keys()
    except SourceUnavailable as error:
        return problem("login.keys", did, what_came(error), "The provider's jwks_uri must return a JSON key set.")
    if not count:
        return problem("login.keys", did, "no usable key", "The provider must publish an RSA, EC or OKP signing key.")
    return ok("login.keys", did, f"{count} public key{'s' * (count != 1)}")


async def _client(method: OIDCMethod) -> Finding:
    """Ask for tokens with a code that is none: refused is as it should be, an unknown client is not."""
    key, did = (
        "login.client",
        f"tested client credentials of {method.settings.client_id!r} at {method.settings.issuer} with an invalid code",
    )
    try:
        await method.redeem_nothing(secrets.token_hex(16))
    except Refused:
        return ok(key, did, "the code was refused, the client credentials were accepted")
    except SourceUnavailable as error:
        if isinstance(error, ClientRejected):
            remedy = "Copy client_id and secret from the client's page at the provider, and check basic_auth."
            return problem(key, did, error.detail, remedy)
        return problem(key, did, what_came(error), "This machine must be able to reach the provider's token_endpoint.")
    return problem(key, did, "it issued tokens for an invalid code", "This provider lets everybody in. Do not use it.")


async def _callback(method: OIDCMethod, authorize: str, callback: str) -> Finding:
    """Begin a sign-in that may show no page, without any cookie: a provider that knows the callback says no there."""
    key, did = "login.callback", f"tested the callback {callback} at {method.settings.issuer}"
    if not callback:
        why = "the portal's address is not configured: set JupyterHub.public_url"
        return not_checked(key, "tested the callback at the provider", why)
    word = secrets.token_hex(16)
    address = await method.begin(state=word, verifier=word, challenge="A" * 43, callback=callback)
    client = AsyncHTTPClient(force_instance=True)
    try:
        answer = await client.fetch(
            HTTPRequest(
                f"{address}&prompt=none",
                follow_redirects=False,
                **{"connect_timeout": _TIMEOUT_S, "request_timeout": _TIMEOUT_S, **method.settings.http},
            ),
            raise_error=False,
        )
    finally:
        client.close()
    place = answer.headers.get("Location", "")
    if answer.code in (302, 303, 307) and place.startswith(callback):
        said = parse_qs(urlsplit(place).query).get("error", [""])[0]
        if said == "invalid_scope":
            scope = " ".join(method.settings.scope)
            return problem(
                key, did, f"a scope of {scope!r} is unknown", "Allow these scopes for this client, or set scope."
            )
        if said in ("unauthorized_client", "unsupported_response_type", "invalid_request"):
            return problem(key, did, said, "Allow this client the authorization code flow with PKCE (S256).")
        return ok(key, did, f"registered; the provider answered {said or 'with a code'}")
    if 400 <= answer.code < 500:
        return problem(
            key,
            did,
            f"status {answer.code}, and no redirect",
            f"Register exactly {callback} at the provider, for the client {method.settings.client_id!r}.",
        )
    return warning(
        key,
        did,
        f"status {answer.code}, which is inconclusive",
        f"Sign in once by hand, and check that {callback} is registered for the client {method.settings.client_id!r}.",
    )


def _issuers(method: OIDCMethod, facility: Facility) -> list[Finding]:
    """Check that some source of accounts is asked about logins of this provider."""
    asked = {name: issuers for name, issuers in facility.issuers_by_source().items() if issuers is not None}
    issuer = method.settings.issuer
    did = f"looked for sources of accounts with the issuer {issuer}"
    deaf = [name for name, issuers in asked.items() if issuer not in issuers]
    if deaf and len(deaf) == len(facility.account_sources):
        named = sorted({one for name in deaf for one in asked[name]})
        return [
            problem(
                "login.issuers",
                did,
                f"none; {', '.join(deaf)} has {', '.join(named)}",
                f'Add exactly "{issuer}" to its setting issuers.',
            )
        ]
    return [ok("login.issuers", did, ", ".join(name for name in facility.account_sources if name not in deaf))]


async def _told(method: OIDCMethod, facility: Facility, access_token: str) -> Finding:
    """Ask what the provider tells of the person whose access token this is."""
    key, did = "login.userinfo", f"read userinfo of {method.settings.issuer} with the token of --token-file"
    try:
        told = await method.told_of(access_token)
    except DaasError as error:
        return problem(
            key, did, error.message, "Check that it is an access token of this provider, and has not expired."
        )
    if told is None:
        return problem(key, did, "the token was refused", "Get a new access token of this provider.")
    missing = sorted(facility.claims - set(told))
    got = f"claims {', '.join(sorted(told))}"
    if missing:
        remedy = (
            "Have the provider release them (scopes, mappers), or name others in the settings of accounts and roles."
        )
        return problem(key, did, f"{got}; {', '.join(missing)} not among them", remedy)
    return ok(key, did, got)
