"""DIAMOND: ISPyB, and a directory and a Unix group for each visit.

py-ispyb is queried with the portal's own account; LDAP groups say who may see which visits: mx12345_7 is visit 7 of
proposal mx12345. The visit mx12345-7 of 2024 on i03 is in /dls/i03/data/2024/mx12345-7. Its name begins with the
proposal's id, so the template needs no {proposal}.

Addresses and the names of groups are to be confirmed on site; `daas-hub doctor` tries them.
"""

from pathlib import Path

from daas_hub import configure

configure(c)

ISSUER = "https://authn.diamond.example/realms/dls"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # behind a web server with TLS
c.JupyterHub.public_url = "https://daas.diamond.example/"
c.JupyterHub.subdomain_host = "https://daas.diamond.example"  # a host name for each session: *.daas.diamond.example
c.Facility.name = "Diamond Light Source"
c.Facility.user_office_url = "https://uas.diamond.example/"
c.Facility.catalogue = [str(Path(__file__).parent.parent / "applications")]

c.UmbrellaAuthenticator.profile = "keycloak"
c.UmbrellaAuthenticator.oidc_issuer = ISSUER
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret_file = "/etc/daas-hub/secrets/oidc"

c.Facility.accounts = "ldap"
c.LdapAccounts.servers = ["ldaps://ldap.diamond.example"]
c.LdapAccounts.ca_file = "/etc/daas-hub/ldap-ca.pem"
c.LdapAccounts.issuers = [ISSUER]
c.LdapAccounts.person_base = "ou=people,dc=facility,dc=org"
c.LdapAccounts.person_filter = "(&(objectClass=posixAccount)(uid={claim.preferred_username}))"
c.LdapAccounts.group_base = "ou=groups,dc=facility,dc=org"

c.Facility.proposals = "ispyb"
c.IspybProposals.url = "https://ispyb.diamond.example/ispyb/api/v1"
c.IspybProposals.plugin = "ldap"
c.IspybProposals.user = "daas"
c.IspybProposals.password_file = "/etc/daas-hub/secrets/ispyb"
c.IspybProposals.group_pattern = "(?P<proposal>[a-z]{2}[0-9]+)(?:_(?P<visit>[0-9]+))?"

VISIT = "/dls/{beamline|lower}/data/{start|year}/{visit|lower}"
c.Facility.timezone = "Europe/London"
c.MountRules.data = [VISIT]
c.MountRules.processed = VISIT + "/processed"
c.MountRules.create_processed = False
c.MountRules.home = "/home/{account}"
