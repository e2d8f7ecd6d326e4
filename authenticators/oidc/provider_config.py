"""The configuration of OpenID providers: reads and checks what an administrator has written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from daas_hub.authenticators.oidc.http import HTTPSettings
from daas_hub.authenticators.oidc.profiles import PROFILES, Profile
from daas_hub.authenticators.oidc.provider import MAX_TOKEN_BYTES, is_safe_url
from daas_hub.authenticators.oidc.subject import what_is_wrong_with
from daas_hub.errors import ConfigurationError
from daas_hub.services.secret_file import read_secret
from daas_hub.services.urls import tls_context

#: Name of the provider that `oidc_issuer` and related settings configure.
ONLY = "openid"

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_NAME = 32

#: The range of `max_token_bytes`: the response that a token is in has at most a megabyte.
LEAST_TOKEN_BYTES, MOST_TOKEN_BYTES = 4_096, 900_000


@dataclass(frozen=True)
class ProviderSettings:
    """One provider, complete and checked.

    Attributes:
        name: in addresses and in auth_state.
        required_assurance: values of `eduperson_assurance`, one of which a login must have; () for no requirement.
        basic_auth: whether the secret is sent in a header instead of the form; None for what the provider supports.
        max_token_bytes: maximum size of a token, and of a claim that is kept.
        authorize_params: additional parameters of the authorization request.
        ca_file: certificates of the authority that issued its certificate; "" for the system's trust store.
        http: how it is reached (certificates, a proxy).
    """

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: tuple[str, ...]
    subject_claims: tuple[str, ...]
    display_name_claims: tuple[str, ...]
    groups_claim: str
    userinfo: bool
    required_assurance: tuple[str, ...] = ()
    refused_subjects: tuple[str, ...] = ()
    basic_auth: bool | None = None
    max_token_bytes: int = MAX_TOKEN_BYTES
    authorize_params: Mapping[str, str] = field(default_factory=dict)
    ca_file: str = ""
    http: HTTPSettings = field(default_factory=HTTPSettings)


_TEXT, _TEXTS, _YES, _PAIRS = "a text", "a list of texts", "True or False", "names and texts"
_SIZE = f"a number from {LEAST_TOKEN_BYTES} to {MOST_TOKEN_BYTES}"
_KEYS = {
    "profile": _TEXT,
    "title": _TEXT,
    "issuer": _TEXT,
    "client_id": _TEXT,
    "client_secret": _TEXT,
    "client_secret_file": _TEXT,
    "scope": _TEXTS,
    "subject_claims": _TEXTS,
    "display_name_claims": _TEXTS,
    "groups_claim": _TEXT,
    "userinfo": _YES,
    "required_assurance": _TEXTS,
    "refused_subjects": _TEXTS,
    "basic_auth": _YES,
    "authorize_params": _PAIRS,
    "ca_file": _TEXT,
    "max_token_bytes": _SIZE,
}
#: Parameters of every login, which must not be overridden.
_OURS = frozenset(
    {"client_id", "redirect_uri", "response_type", "response_mode", "state", "nonce", "scope", "request", "request_uri"}
    | {"code_challenge", "code_challenge_method"}
)


def read_providers(setting: str, wanted: Mapping[str, Any]) -> dict[str, ProviderSettings]:
    """Return the configured providers by name, in the configured order.

    Raises:
        ConfigurationError: naming the provider and the key that cannot work; no secret is shown.
    """
    found: dict[str, ProviderSettings] = {}
    for name, keys in wanted.items():
        if not isinstance(name, str) or len(name) > _MAX_NAME or not _NAME.fullmatch(name):
            raise ConfigurationError(
                setting,
                name,
                "is not a valid name: it is part of the callback registered at the provider",
                remedy="Use lower-case letters, digits and single hyphens: 'umbrella', 'egi-demo'.",
            )
        if not isinstance(keys, Mapping):
            raise ConfigurationError(
                f"{setting}[{name!r}]", type(keys).__name__, "is not a mapping", remedy='Write {"profile": "egi", ...}.'
            )
        found[name] = read_provider(f"{setting}[{name!r}]", name, keys)
    _require_different(setting, found)
    return found


def read_provider(setting: str, name: str, keys: Mapping[str, Any]) -> ProviderSettings:
    """Return one provider: its profile, overridden by the administrator's settings.

    Raises:
        ConfigurationError: see `read_providers`.
    """

    def problem(key: str, value: object, message: str, remedy: str) -> ConfigurationError:
        # the settings of the single provider are traits
        where = f"{setting}[{key!r}]" if "[" in setting else f"{setting}.{'oidc_issuer' if key == 'issuer' else key}"
        return ConfigurationError(where, value, message, remedy=remedy)

    for key, value in keys.items():
        _require_key(problem, key, value)
    profile = _profile(problem, keys.get("profile", "generic"))
    issuer = keys.get("issuer") or profile.issuer
    if not is_safe_url(issuer):
        raise problem(
            "issuer",
            issuer,
            "is not an https:// address (http:// is accepted on this machine only)",
            "Copy the 'issuer' of your provider's /.well-known/openid-configuration.",
        )
    if not keys.get("client_id"):
        raise problem("client_id", "", "is not set", "Register the portal at your provider.")
    subject_claims = tuple(keys.get("subject_claims", profile.subject_claims))
    if wrong := what_is_wrong_with(subject_claims):
        raise problem(
            "subject_claims",
            list(subject_claims),
            wrong,
            'Use ["sub"], or the spellings of the one lasting identifier your provider documents: ["voperson_id"].',
        )
    scope = tuple(keys.get("scope") or profile.scope)
    if "openid" not in scope:
        raise problem("scope", list(scope), "has no 'openid'", 'Begin it with "openid".')
    params = dict(keys.get("authorize_params", {}))
    if taken := sorted(set(params) & _OURS):
        raise problem("authorize_params", taken[0], "is the portal's own", "Remove it.")
    return ProviderSettings(
        name=name,
        title=keys.get("title") or profile.title,
        issuer=issuer,
        client_id=keys["client_id"],
        client_secret=_secret(problem, setting, keys),
        scope=scope,
        subject_claims=subject_claims,
        display_name_claims=tuple(keys.get("display_name_claims", profile.display_name_claims)),
        groups_claim=keys.get("groups_claim", profile.groups_claim),
        userinfo=keys.get("userinfo", profile.userinfo),
        required_assurance=tuple(keys.get("required_assurance", ())),
        refused_subjects=tuple(keys.get("refused_subjects", profile.refused_subjects)),
        basic_auth=keys.get("basic_auth"),
        max_token_bytes=keys.get("max_token_bytes", MAX_TOKEN_BYTES),
        authorize_params=params,
        ca_file=keys.get("ca_file", ""),
        http=HTTPSettings(tls=tls_context(f"{setting}['ca_file']", keys.get("ca_file", ""))),
    )


def _require_key(problem: Any, key: object, value: object) -> None:
    if key not in _KEYS:
        near = get_close_matches(str(key), _KEYS, n=1)
        shown = "(not shown)" if "secret" in str(key) else value
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(_KEYS)}."
        raise problem(str(key), shown, "there is no such key", remedy)
    wanted = _KEYS[str(key)]
    fits = {
        _TEXT: lambda: isinstance(value, str),
        _YES: lambda: isinstance(value, bool),
        _SIZE: lambda: type(value) is int and LEAST_TOKEN_BYTES <= value <= MOST_TOKEN_BYTES,
        _TEXTS: lambda: isinstance(value, list | tuple) and all(isinstance(one, str) for one in value),
        _PAIRS: lambda: isinstance(value, Mapping) and all(isinstance(one, str) for one in [*value, *value.values()]),
    }
    if not fits[wanted]():
        shown = "(not shown)" if "secret" in str(key) else value
        raise problem(key, shown, "has the wrong type", f"It must be {wanted}.")


def _profile(problem: Any, name: object) -> Profile:
    if isinstance(name, str) and name in PROFILES:
        return PROFILES[name]
    near = get_close_matches(str(name), PROFILES, n=1)
    raise problem(
        "profile",
        name,
        "there is no such profile",
        f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(PROFILES))}.",
    )


def _secret(problem: Any, setting: str, keys: Mapping[str, Any]) -> str:
    secret, path = keys.get("client_secret", ""), keys.get("client_secret_file", "")
    if secret and path:
        raise problem("client_secret", "(not shown)", "is set together with client_secret_file", "Set one of the two.")
    where = f"{setting}['client_secret_file']" if "[" in setting else f"{setting}.client_secret_file"
    return read_secret(where, path) if path else str(secret)


def _require_different(setting: str, found: Mapping[str, ProviderSettings]) -> None:
    """Refuse two buttons with the same title, and the same issuer twice."""
    for what, remedy in (
        ("title", "Give each provider its own 'title'."),
        ("issuer", "Give each provider once."),
    ):
        values = [getattr(one, what) for one in found.values()]
        if doubles := sorted({value for value in values if values.count(value) > 1}):
            raise ConfigurationError(f"{setting}[...][{what!r}]", doubles[0], "occurs twice", remedy=remedy)
