"""Whether people can sign in: the checks of every login method, for `daas-hub doctor`."""

from __future__ import annotations

from collections.abc import Mapping

from daas_hub.authenticators.doctor.checks import examine_lockout, examine_passwords, examine_provider
from daas_hub.authenticators.login_methods import LoginMethod
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked


async def examine_logins(
    methods: Mapping[str, LoginMethod],
    linking: PasswordMethod | None,
    facility: Facility,
    *,
    public_url: str,
    access_token: str = "",
) -> list[Finding]:
    """Examine each login method.

    Args:
        linking: the passwords that prove an account when a login is connected with it.
        public_url: the portal's address; "" if it is not configured.
        access_token: a person's, of the first method's provider; "" for none.
    """
    findings: list[Finding] = []
    first = next(iter(methods.values()), None)
    for method in methods.values():
        if isinstance(method, OIDCMethod):
            guessed = f"{public_url.rstrip('/')}/hub/oauth_callback{method.tail}" if public_url else ""
            token = access_token if first is not None and method.issuer == first.issuer else ""
            findings += await examine_provider(
                method, facility, callback=method.callback or guessed, access_token=token
            )
        elif isinstance(method, PasswordMethod):
            findings += [await examine_passwords(method), await examine_lockout(method)]
        else:
            check = f"check the login method {method.title!r} ({method.issuer})"
            findings.append(not_checked("login.other", check, "only a person can try it: sign in once by hand"))
    if linking is not None and linking not in methods.values():
        findings += [await examine_passwords(linking), await examine_lockout(linking)]
    return findings
