"""Roles: administrators, what they need to sign in with, and who may launch without a proposal."""

from __future__ import annotations

import ipaddress
from typing import Any

from traitlets import Dict, Float, List, Unicode

from daas_hub.accounts.elevation import ElevationRules, Network
from daas_hub.accounts.roles import OWN_RESOURCES, Roles
from daas_hub.accounts.source_settings import SourceSettings


class RoleRules(SourceSettings):
    """The administrators of the hub, and the users who may launch applications without a proposal."""

    admin_groups = List(
        Unicode(),
        config=True,
        help="""
        Groups whose members are administrators of the hub. Membership is read again at each login and refresh, so the
        role comes and goes with it. Names are case-sensitive. Example: ["daas-admins"]. Default: none.
        """,
    )
    admin_claims = Dict(
        List(Unicode()),
        config=True,
        help="""
        Claims of the login, each with the values that make an administrator; needs `issuers`. The claim may be a string
        or a list of strings; values are case-sensitive. Example: {"groups": ["/daas/admins"]}. Default: none.
        """,
    )
    own_resources_groups = List(
        Unicode(),
        config=True,
        help="""
        Groups whose members may launch applications without a proposal ("own resources"). Setting this,
        `own_resources_claims` or `CalipsoplusAccounts.is_authorized_url` restricts own resources to the people they
        name, and to accounts with the role "own_resources" in the accounts table. Names are case-sensitive.
        Example: ["employees"]. Default: everybody with an account may.
        """,
    )
    own_resources_claims = Dict(
        List(Unicode()),
        config=True,
        help="""
        Claims of the login, each with the values that allow own resources, as `admin_claims`; needs `issuers`.
        Example: {"groups": ["/employees"]}. Default: none.
        """,
    )
    role_groups = Dict(
        List(Unicode()),
        config=True,
        help="""
        Roles of the facility's own, each with the groups whose members have it;
        quotas (`Quotas.roles`) and places can be set for roles. Example: {"staff": ["employees"], "guest":
        ["visitors"]}. Default: none.
        """,
    )
    role_claims = Dict(
        Dict(List(Unicode())),
        config=True,
        help="""
        Roles of the facility's own, each with the claims of the login that give it, as `admin_claims`; needs `issuers`.
        Example: {"visitor": {"affiliation": ["member@elsewhere.org"]}}. Default: none.
        """,
    )
    role_issuers = Dict(
        List(Unicode()),
        config=True,
        help="""
        Roles of the facility's own, each with the login providers whose logins have it, whatever their claims; for
        people who sign in through a federation, for instance. Example: {"visitor": ["https://login.federation.org"]}.
        Default: none.
        """,
    )
    issuers = List(
        Unicode(),
        config=True,
        help="""
        OpenID issuers whose claims are used for roles. List only the facility's own: an issuer listed here can make
        anybody an administrator. Example: ["https://keycloak.facility.org/realms/users"]. Default: none.
        """,
    )

    elevated_hours = Float(
        0.0,
        min=0,
        config=True,
        help="""
        Hours after which administrators have to sign in again; their sessions keep running. Counted from the
        provider's `auth_time`, or from the login if it sends none. Example: 8. Default: 0, no limit.
        """,
    )
    elevated_acr = List(
        Unicode(),
        config=True,
        help="""
        Accepted values of the `acr` claim in the provider's id_token. A login with neither one of these nor one of
        `elevated_amr` works without the role, and the page offers to sign in with a second factor. Example:
        ["https://refeds.org/profile/mfa"]. Default: not required.
        """,
    )
    elevated_amr = List(
        Unicode(),
        config=True,
        help='Accepted values of the `amr` claim, see `elevated_acr`. Example: ["otp", "mfa"]. Default: not required.',
    )
    elevated_networks = List(
        Unicode(),
        config=True,
        help="""
        Networks administrators must sign in from; a login from elsewhere works without the role. List proxies in front
        of the hub's own in `JupyterHub.trusted_downstream_ips`. Example: ["192.0.2.0/24", "2001:db8::/32"]. Default:
        any.
        """,
    )

    def elevation(self) -> ElevationRules:
        """Return what an administrator's login needs in addition to its group or claim.

        Raises:
            ConfigurationError: a network is invalid.
        """
        networks: list[Network] = []
        for one in self.elevated_networks:
            try:
                networks.append(ipaddress.ip_network(one))
            except ValueError as error:
                raise self.wrong("elevated_networks", str(error), 'Example: ["192.0.2.0/24"].') from None
        return ElevationRules(self.elevated_hours, tuple(self.elevated_acr), tuple(self.elevated_amr), tuple(networks))

    @property
    def restricts_own_resources(self) -> bool:
        """Whether own resources are for some people only."""
        return bool(self.own_resources_groups or self.own_resources_claims)

    def roles(self) -> Roles:
        """Return the rules.

        Raises:
            ConfigurationError: claims are used, and `issuers` is empty; or a role is one that has settings of its own.
        """
        for setting in ("role_groups", "role_claims", "role_issuers"):
            for role in sorted({"admin", OWN_RESOURCES} & set(getattr(self, setting))):
                others = "groups" if setting == "role_issuers" else setting.removeprefix("role_")
                remedy = f"Set {role}_{others} instead."
                raise self.wrong(setting, f"{role!r} has a setting of its own", remedy)
        claims: dict[str, Any] = {
            **self.role_claims,
            "admin": self.admin_claims,
            OWN_RESOURCES: self.own_resources_claims,
        }
        if any(claims.values()):
            self.require_issuers(self.issuers)
        return Roles(
            groups={
                **{role: frozenset(names) for role, names in self.role_groups.items()},
                "admin": frozenset(self.admin_groups),
                OWN_RESOURCES: frozenset(self.own_resources_groups),
            },
            claims={
                role: {name: frozenset(values) for name, values in wanted.items()} for role, wanted in claims.items()
            },
            issuers=frozenset(self.issuers),
            logins={role: frozenset(names) for role, names in self.role_issuers.items()},
        )
