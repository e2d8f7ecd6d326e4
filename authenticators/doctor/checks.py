"""What `daas-hub doctor` asks the login providers: who they say they are, their keys, and whether they know the portal.

No password is needed for it. A code that is none tells whether the client's secret holds: a provider looks at the
client first. A sign-in that may show no page tells whether the callback is registered: a provider sends nobody to an
address it does not know.
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, urlsplit

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
    """Examine one provider.

    Args:
        callback: the address that is registered there, if it is known; "" otherwise.
        access_token: a person's, to see what the provider tells of them; "" for none.
    """
    issuer = method.settings.issuer
    key, did = "login.discovery", f"read the description of {issuer}"
    try:
        endpoints = await method.provider.endpoints()
    except SourceUnavailable as error:
        return [problem(key, did, what_came(error), _remedy_of_discovery(error, issuer))]
    findings = [ok(key, did, "it is this issuer's, and its addresses are encrypted")]
    findings.append(await _keys(method))
    findings.append(await _client(method))
    findings.append(await _callback(method, endpoints.authorize, callback))
    findings += _issuers(method, facility)
    if access_token:
        findings.append(await _told(method, facility, access_token))
    if not endpoints.end_session:
        did = f"looked where one signs out at {issuer}"
        findings.append(ok("login.logout", did, "it has no such place; signing out ends the portal's login only"))
    return findings


def what_came(error: DaasError) -> str:
    """Return what a provider said or did instead, in the administrator's words."""
    return f"{error.message} {error.detail}".strip()


def _remedy_of_discovery(error: SourceUnavailable, issuer: str) -> str:
    if error.kind is ErrorKind.ISSUER_MISMATCH:
        return "Copy `issuer` letter by letter from its description, with or without the slash at the end."
    if error.kind is ErrorKind.INSECURE_ENDPOINT:
        return "The provider describes itself with addresses that are not https. Its administrators must mend that."
    return (
        f"Open {issuer.rstrip('/')}/.well-known/openid-configuration from this machine: is the issuer right, does the "
        "provider run, is its certificate one this machine trusts, and may this machine reach it (firewall)?"
    )


async def examine_passwords(method: PasswordMethod) -> Finding:
    """Ask the source of passwords about a name that cannot exist: it must answer, and say no."""
    key, did = "login.passwords", f"asked for the password of somebody who cannot exist ({method.issuer})"
    try:
        told = await method.source.check(f"nobody-{secrets.token_hex(4)}", secrets.token_hex(16))
    except DaasError as error:
        remedy = (
            "Does the service that is asked (LdapAccounts.servers, or PasswordLogin.login_url) run, and may this "
            "machine reach it? What is found of the accounts says more."
        )
        return problem(key, did, what_came(error), remedy)
    if told:
        return problem(key, did, f"yes: {told}", "It lets everybody in. Do not use it.")
    return ok(key, did, "no; whether a right one is accepted, only a person can try: sign in once by hand")


async def _keys(method: OIDCMethod) -> Finding:
    did = f"read the keys that {method.settings.issuer} signs with"
    try:
        count = await method.provider.count_keys()
    except SourceUnavailable as error:
        return problem(
            "login.keys", did, what_came(error), "The provider's jwks_uri must give its public keys as JSON."
        )
    if not count:
        return problem(
            "login.keys", did, "none that can be used", "It must publish an RSA, EC or OKP key for signatures."
        )
    return ok("login.keys", did, f"{count} public key{'s' * (count != 1)}")


async def _client(method: OIDCMethod) -> Finding:
    """Ask for tokens with a code that is none: refused is as it should be, an unknown client is not."""
    key, did = (
        "login.client",
        f"asked {method.settings.issuer} for tokens as {method.settings.client_id!r}, with a code that is none",
    )
    try:
        await method.redeem_nothing(secrets.token_hex(16))
    except Refused:
        return ok(key, did, "it refused the code, and accepted the portal's id and secret")
    except SourceUnavailable as error:
        if isinstance(error, ClientRejected):
            remedy = (
                "Copy client_id and the secret from the provider's page of this client; is basic_auth as it wants it?"
            )
            return problem(key, did, error.detail, remedy)
        return problem(key, did, what_came(error), "The provider's token_endpoint must answer this machine.")
    return problem(key, did, "it gave tokens for it", "This provider lets everybody in. Do not use it.")


async def _callback(method: OIDCMethod, authorize: str, callback: str) -> Finding:
    """Begin a sign-in that may show no page, without any cookie: a provider that knows the callback says no there."""
    key, did = "login.callback", f"began a sign-in at {method.settings.issuer} that comes back to {callback}"
    if not callback:
        why = "nothing says what the portal's address is: set JupyterHub.public_url"
        return not_checked(key, "began a sign-in at the provider", why)
    word = secrets.token_hex(16)
    address = await method.begin(state=word, verifier=word, challenge="A" * 43, callback=callback)
    try:
        async with service_at(address, method.settings.http).conversation() as talk:
            status, place = await talk.location_of(f"{address}&prompt=none", "a sign-in without a page")
    except SourceUnavailable as error:
        return problem(key, did, what_came(error), "The provider's authorization_endpoint must answer this machine.")
    said = parse_qs(urlsplit(place).query).get("error", [""])[0] if place.startswith(callback) else None
    if status in (302, 303, 307) and said is not None:
        return _judged(key, did, said, " ".join(method.settings.scope))
    client = method.settings.client_id
    if 400 <= status < 500:
        remedy = f"Register {callback} at the provider, letter by letter, for the client {client!r}."
        return problem(key, did, f"status {status}, and nobody is sent back", remedy)
    remedy = f"Sign in once by hand, and check that {callback} is registered for the client {client!r}."
    return warning(key, did, f"status {status}, which says nothing", remedy)


def _judged(key: str, did: str, said: str, scope: str) -> Finding:
    """Return what the error means that a provider sent back to the callback; "" for none. Pure."""
    if said == "invalid_scope":
        return problem(
            key, did, f"it does not know a scope of {scope!r}", "Allow these scopes to this client, or set scope."
        )
    if said in ("unauthorized_client", "unsupported_response_type", "invalid_request"):
        return problem(key, did, said, "Allow this client the authorization code flow with PKCE (S256).")
    return ok(key, did, f"it knows the address, and says {said or 'yes'}")


def _issuers(method: OIDCMethod, facility: Facility) -> list[Finding]:
    """Check that some source of accounts is asked about logins of this provider."""
    asked = {name: issuers for name, issuers in facility.issuers_by_source().items() if issuers is not None}
    issuer = method.settings.issuer
    did = f"looked which sources of accounts are asked about logins of {issuer}"
    deaf = [name for name, issuers in asked.items() if issuer not in issuers]
    if deaf and len(deaf) == len(facility.account_sources):
        named = sorted({one for name in deaf for one in asked[name]})
        return [
            problem(
                "login.issuers",
                did,
                f"none; {', '.join(deaf)} is asked about {', '.join(named)}",
                f'Add "{issuer}" to its setting issuers, letter by letter.',
            )
        ]
    return [ok("login.issuers", did, ", ".join(name for name in facility.account_sources if name not in deaf))]


async def _told(method: OIDCMethod, facility: Facility, access_token: str) -> Finding:
    """Ask what the provider tells of the person whose access token this is."""
    key, did = "login.userinfo", f"asked {method.settings.issuer} about the person of --token-file"
    try:
        told = await method.told_of(access_token)
    except DaasError as error:
        return problem(key, did, error.message, "Is it an access token of this provider, and still good?")
    if told is None:
        return problem(key, did, "it does not take this token", "Get a fresh access token of this provider.")
    missing = sorted(facility.claims - set(told))
    got = f"claims {', '.join(sorted(told))}"
    if missing:
        remedy = "Have the provider send them (scopes, mappers), or read others in the settings of accounts and roles."
        return problem(key, did, f"{got}; not {', '.join(missing)}, which the configuration reads", remedy)
    return ok(key, did, got)
