"""DESY: EGI Check-in, accounts by its community identifier, and directories that the user office names.

The user office answers with the services of CALIPSOplus; its `data_set_path` is the beamtime's directory on the core
file system (corePath), with raw, processed, shared and scratch_cc. The file system's access lists decide what an
account may do there.

Addresses and the directory's attribute are to be confirmed on site; `daas-hub doctor` tries them.
"""

from pathlib import Path

from daas_hub import configure

configure(c)

# also known to the profile "egi"; needed here for the sources of accounts
ISSUER = "https://aai.egi.example/auth/realms/egi"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # behind a web server with TLS
c.JupyterHub.public_url = "https://daas.desy.example/"
c.JupyterHub.subdomain_host = "https://daas.desy.example"  # a host name for each session: *.daas.desy.example
c.Facility.name = "DESY"
c.Facility.user_office_url = "https://door.desy.example/"
c.Facility.catalogue = [str(Path(__file__).parent.parent / "applications")]

c.UmbrellaAuthenticator.profile = "egi"
c.UmbrellaAuthenticator.oidc_issuer = ISSUER
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret_file = "/etc/daas-hub/secrets/oidc"

# accounts: the attribute into which the registration writes a person's voperson_id
c.Facility.accounts = "ldap"
c.LdapAccounts.servers = ["ldaps://ldap.desy.example"]
c.LdapAccounts.ca_file = "/etc/daas-hub/ldap-ca.pem"
c.LdapAccounts.issuers = [ISSUER]
c.LdapAccounts.person_base = "ou=people,dc=facility,dc=org"
c.LdapAccounts.person_filter = "(&(objectClass=posixAccount)(employeeNumber={subject}))"
c.LdapAccounts.group_base = "ou=groups,dc=facility,dc=org"

c.Facility.proposals = "calipsoplus"
c.CalipsoplusProposals.url = "https://door.desy.example/services/experiments/$USERNAME/"
c.CalipsoplusProposals.user = "portal"
c.CalipsoplusProposals.password_file = "/etc/daas-hub/secrets/door"

c.MountRules.data_roots = ["/asap3"]
c.MountRules.data = [{"name": "raw", "path": "{path}/raw"}]
c.MountRules.processed = "{path}/processed"
c.MountRules.create_processed = False
c.MountRules.extra = [
    {"name": "shared", "path": "{path}/shared", "writable": True, "optional": True},
    {"name": "scratch", "path": "{path}/scratch_cc", "writable": True, "optional": True},
]
c.MountRules.home = "/home/{account}"
