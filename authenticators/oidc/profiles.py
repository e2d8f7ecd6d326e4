"""Defaults for kinds of OpenID providers; any of them can be overridden.

A profile describes the scopes and claims of a kind of provider. It never decides who may sign in, and it names an
issuer only where that is public: UmbrellaID's is not, and a guess would send logins to a stranger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Profile:
    """One kind of provider.

    Attributes:
        title: on the login page's button, after "Sign in with".
        issuer: "" where each installation has its own.
        scope: the scopes to request.
        subject_claims: the spellings of the one claim that identifies people (see `subject`).
        display_name_claims: the first one present is shown as the person's name.
        groups_claim: the claim with the groups; the configuration also finds it as `groups`.
        userinfo: whether claims are read from userinfo (most providers put little into the id_token); otherwise from
            the id_token alone.
        refused_subjects: accounts of the provider's monitoring, which belong to nobody.
    """

    title: str
    issuer: str = ""
    scope: tuple[str, ...] = ("openid", "profile")
    subject_claims: tuple[str, ...] = ("sub",)
    display_name_claims: tuple[str, ...] = ("name",)
    groups_claim: str = "groups"
    userinfo: bool = True
    refused_subjects: tuple[str, ...] = ()


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "generic": Profile("your facility account"),
        # groups and POSIX attributes are claims only where the realm has mappers for them
        "keycloak": Profile("your facility account"),
        # the community id in `sub` is deprecated; name, mail and groups are in userinfo only
        "egi": Profile(
            "EGI Check-in",
            issuer="https://aai.egi.eu/auth/realms/egi",
            scope=("openid", "profile", "voperson_id", "eduperson_entitlement", "eduperson_assurance"),
            subject_claims=("voperson_id",),
            groups_claim="eduperson_entitlement",
        ),
        "eduteams": Profile(
            "eduTEAMS",
            issuer="https://proxy.eduteams.org",
            scope=("openid", "profile", "eduperson_entitlement", "eduperson_assurance"),
            groups_claim="eduperson_entitlement",
            # accounts of its monitoring: the provider's documentation asks to grant them nothing
            refused_subjects=("test@eduteams.org", "test@aai.geant.org"),
        ),
        # facilities have linked the hash to their accounts; users can change their user name (`uid`)
        "umbrella": Profile(
            "UmbrellaID",
            scope=("openid",),
            subject_claims=("EAAHash", "eaahash"),
            display_name_claims=("name", "uid"),
        ),
    }
)
