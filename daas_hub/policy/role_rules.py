"""Who is an administrator of the portal, and what an administrator needs to sign in with."""

from __future__ import annotations

import ipaddress
from typing import Any

from traitlets import Dict, Float, List, Unicode

from daas_hub.accounts.elevation import ElevationRules, Network
from daas_hub.accounts.roles import OWN_RESOURCES, Roles
from daas_hub.accounts.source_settings import SourceSettings


class RoleRules(SourceSettings):
    """Who is an administrator of the portal, and who is staff."""

    admin_groups = List(
        Unicode(),
        config=True,
        help="""
        Names of groups whose members administrate the hub. It is given at each login and refresh, and taken away
        again. Letter by letter. Example: ["daas-admins"]. Default: none.
        """,
    )
    staff_groups = List(
        Unicode(),
        config=True,
        help='Names of groups whose members are staff. No page makes use of it yet. Example: ["it"].',
    )
    admin_claims = Dict(
        List(Unicode()),
        config=True,
        help="""
        Claims of the login, each with the values that make an administrator; needs `issuers`. A claim may be a text or
        a list of texts. Example: {"groups": ["/daas/admins"]}. Default: none.
        """,
    )
    staff_claims = Dict(List(Unicode()), config=True, help='The same for staff. Example: {"groups": ["/staff"]}.')
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
    issuers = List(
        Unicode(),
        config=True,
        help="""
        OpenID issuers whose claims count for roles. Name only the facility's own: whoever is named here can make
        anybody an administrator. Example: ["https://keycloak.facility.org/realms/users"].
        """,
    )

    elevated_hours = Float(
        0.0,
        min=0,
        config=True,
        help="""
        Hours after which administrators and staff have to sign in again; their sessions run on. It counts from when
        the provider says they proved who they are, or from the login where it does not say. Example: 8. Default: 0, no
        limit.
        """,
    )
    elevated_acr = List(
        Unicode(),
        config=True,
        help="""
        Values of the claim `acr` of the provider's id_token. A login with none of these, nor of `elevated_amr`, works
        without the role, and the page offers to sign in with a second factor. Example:
        ["https://refeds.org/profile/mfa"]. Default: none is needed.
        """,
    )
    elevated_amr = List(
        Unicode(),
        config=True,
        help='The same for the claim `amr`. Example: ["otp", "mfa", "hwk"]. Default: none is needed.',
    )
    elevated_networks = List(
        Unicode(),
        config=True,
        help="""
        Networks from which administrators and staff sign in; elsewhere they are people like all others. Proxies
        before the hub's own are named in `JupyterHub.trusted_downstream_ips`. Example: ["192.0.2.0/24",
        "2001:db8::/32"]. Default: any.
        """,
    )

    def elevation(self) -> ElevationRules:
        """Return what an elevated role needs besides its group or claim.

        Raises:
            ConfigurationError: a network is none.
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
            ConfigurationError: claims are read, and nobody is named whose claims count.
        """
        claims: dict[str, Any] = {
            "admin": self.admin_claims,
            "staff": self.staff_claims,
            OWN_RESOURCES: self.own_resources_claims,
        }
        if any(claims.values()):
            self.require_issuers(self.issuers)
        return Roles(
            groups={
                "admin": frozenset(self.admin_groups),
                "staff": frozenset(self.staff_groups),
                OWN_RESOURCES: frozenset(self.own_resources_groups),
            },
            claims={
                role: {name: frozenset(values) for name, values in wanted.items()} for role, wanted in claims.items()
            },
            issuers=frozenset(self.issuers),
        )
