"""The settings of accounts that a login's claims describe."""

from __future__ import annotations

from traitlets import Float, List, Unicode

from daas_hub.accounts.settings import SourceSettings
from daas_hub.identity import AccountSource
from daas_hub.identity.claims import ClaimedAccounts, ClaimNames


class ClaimsAccounts(SourceSettings):
    """Accounts that the facility's own login provider describes (`Facility.accounts = "claims"`)."""

    issuers = List(
        Unicode(),
        config=True,
        help="""
        OpenID issuers that are believed. Name only the facility's own: whoever is named here can give anybody any
        number. No default. Example: ["https://keycloak.facility.org/realms/users"]. Since 0.1.
        """,
    )
    name_claim = Unicode("preferred_username", config=True, help="Claim with the account's name. Since 0.1.")
    uid_claim = Unicode("uidNumber", config=True, help="Claim with the user's number. Since 0.1.")
    gid_claim = Unicode("gidNumber", config=True, help="Claim with the main group's number. Since 0.1.")
    groups_claim = Unicode(
        "",
        config=True,
        help="""
        Claim with further groups: a list of numbers, or names with their numbers. Default: none is read. A login
        without this claim has no further groups. Example: "gids". Since 0.1.
        """,
    )
    display_name_claim = Unicode("", config=True, help='Claim with the name shown. Example: "name". Since 0.1.')
    believed_s = Float(
        900.0,
        min=60.0,
        config=True,
        help="""
        Seconds a claim is believed after the provider said it. A hub asks anew about every five minutes somebody uses
        it; while the provider is down, nothing starts after this time. Since 0.1.
        """,
    )

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        for setting in ("name_claim", "uid_claim", "gid_claim"):
            if not getattr(self, setting):
                raise self.wrong(setting, "names no claim", "Write the claim's name, as your provider calls it.")
        names = ClaimNames(self.name_claim, self.uid_claim, self.gid_claim, self.groups_claim, self.display_name_claim)
        return ClaimedAccounts(self.require_issuers(self.issuers), names, self.believed_s)
