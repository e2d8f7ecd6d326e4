"""The settings of accounts of the hub's own machine."""

from __future__ import annotations

from traitlets import Float, List, Unicode

from daas_hub.accounts.settings import SourceSettings
from daas_hub.identity import AccountSource
from daas_hub.identity.nss import MachineAccounts


class NssAccounts(SourceSettings):
    """Accounts the hub's machine knows itself (`Facility.accounts = "nss"`)."""

    name = Unicode(
        "{subject}",
        config=True,
        help="""
        Name of the account of a login. Fields: {subject} {issuer} {claim.NAME}.
        Example: "{claim.preferred_username}", if people cannot change that name at the provider. Since 0.1.
        """,
    )
    issuers = List(
        Unicode(),
        config=True,
        help="""
        OpenID issuers whose logins are looked up. Others have no account here. No default.
        Example: ["https://keycloak.facility.org/realms/users"]. Since 0.1.
        """,
    )
    answer_s = Float(5.0, min=0.1, config=True, help="Seconds a look-up may take. Since 0.1.")

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if not self.require_fields("name"):
            raise self.wrong("name", "has no field: everybody would be the same", "Add {subject}.")
        return MachineAccounts(self.name, self.require_issuers(self.issuers), self.answer_s)
