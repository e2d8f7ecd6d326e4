"""What is known beforehand of kinds of OpenID providers: plain data, and any of it can be set otherwise.

A profile says how a kind of provider words things. It never says who may in, and it names an issuer only where the
issuer is public: UmbrellaID's is not known, and a guessed one would send logins to a stranger.
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
        scope: what is asked for.
        subject_claims: the spellings of the one claim that tells people apart (see `subjects`).
        display_name_claims: the first that is there is shown as the person's name.
        groups_claim: where groups are; the configuration also finds them as `groups`.
        userinfo: whether claims are read from userinfo (most providers put little into the id_token); otherwise from
            the id_token alone.
        refused_subjects: accounts of the provider's own monitoring, which are nobody.
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
        # to take the community id from `sub` is announced to end; name, mail and groups stand in userinfo only
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
            # the monitoring's: the provider's documentation asks to grant them nothing
            refused_subjects=("test@eduteams.org", "test@aai.geant.org"),
        ),
        # the hash is what facilities have linked to their accounts; the user name (`uid`) can be changed by its owner
        "umbrella": Profile(
            "UmbrellaID",
            scope=("openid",),
            subject_claims=("EAAHash", "eaahash"),
            display_name_claims=("name", "uid"),
        ),
    }
)
