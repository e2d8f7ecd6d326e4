"""The file an administrator edits. As it stands it runs the demo (`make demo`); below is what a facility changes.

Check it at any time with `daas-hub check-config jupyterhub_config.py`; docs/how-to/ has a page for each integration.
"""

from daas_hub import configure
from daas_hub.demo.profile import demo

configure(c)  # noqa: F821  # templates, portal, proxy, safe defaults
demo(c)  # noqa: F821  # four people, two proposals, on 127.0.0.1 only: remove this line, then fill in the rest

# -- who you are -------------------------------------------------------------------------------------------------
# c.Facility.name = "My Light Source"
# c.Facility.user_office_url = "https://useroffice.facility.org"

# -- login: any OpenID Connect provider; the callback to register there is https://<portal>/hub/oauth_callback ----
# c.UmbrellaAuthenticator.profile = "keycloak"   # or "egi", "eduteams", "umbrella"; several: docs/how-to/
# c.UmbrellaAuthenticator.oidc_issuer = "https://keycloak.facility.org/realms/users"
# c.UmbrellaAuthenticator.client_id = "daas-hub"
# c.UmbrellaAuthenticator.client_secret_file = "/etc/daas-hub/secrets/oidc"   # and set JUPYTERHUB_CRYPT_KEY

# -- accounts and proposals -------------------------------------------------------------------------------------
# c.Facility.accounts = "table"   # or "ldap", "nss", "claims", "rest": docs/how-to/
# c.Facility.accounts_file = "/etc/daas-hub/accounts.yaml"
# c.Facility.proposals_file = "/etc/daas-hub/proposals.yaml"

# -- applications: one YAML file each ---------------------------------------------------------------------------
# c.Facility.catalogue = ["/etc/daas-hub/applications"]

# -- where the data are -----------------------------------------------------------------------------------------
# c.MountRules.data = ["/data/visitor/{proposal}/{beamline}/{visit}"]
# c.MountRules.processed = "/data/processed/{proposal}"
# c.MountRules.home = "/home/{account}"
