"""ALBA: accounts of proposals, a user office with the CALIPSOplus services, directories whose names are known in part.

People sign in with UmbrellaID, which the facility's own OpenID provider presents. The user office knows which facility
account an Umbrella hash belongs to, and who is a member of which experiment. The data of proposal 2022086950 belong to
the account u2022086950: sessions on it run as that account, if the person is a member at that moment.

Addresses, the provider's claim and the directories are to be confirmed on site; `daas-hub doctor` tries them.
"""

from pathlib import Path

from daas_hub import configure

configure(c)

ISSUER = "https://login.alba.example/realms/users"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # behind a web server with TLS
c.JupyterHub.public_url = "https://daas.alba.example/"
c.JupyterHub.subdomain_host = "https://daas.alba.example"  # a host name for each session: *.daas.alba.example
c.Facility.name = "ALBA"
c.Facility.user_office_url = "https://useroffice.alba.example/"
c.Facility.catalogue = [str(Path(__file__).parent.parent / "applications")]

# login: UmbrellaID, presented by the facility's provider
c.UmbrellaAuthenticator.profile = "umbrella"
c.UmbrellaAuthenticator.oidc_issuer = ISSUER
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret_file = "/etc/daas-hub/secrets/oidc"

# accounts: the user office says which account a hash is linked to, the directory has its numbers
c.Facility.accounts = "calipsoplus"
c.CalipsoplusAccounts.issuers = [ISSUER]
c.CalipsoplusAccounts.hash_url = "https://useroffice.alba.example/services/login/umbrella/"
c.CalipsoplusAccounts.is_authorized_url = "https://useroffice.alba.example/services/is_staff/"
c.CalipsoplusAccounts.user = "portal"
c.CalipsoplusAccounts.password_file = "/etc/daas-hub/secrets/useroffice"
c.CalipsoplusAccounts.account_source = "ldap"
c.LdapAccounts.servers = ["ldaps://ldap.alba.example"]
c.LdapAccounts.ca_file = "/etc/daas-hub/ldap-ca.pem"
c.LdapAccounts.issuers = [ISSUER]
c.LdapAccounts.person_base = "ou=people,dc=facility,dc=org"
c.LdapAccounts.group_base = "ou=groups,dc=facility,dc=org"
c.ProposalAccounts.template = "u{proposal}"

# proposals: the same user office; the paths of the data are set below
c.Facility.proposals = "calipsoplus"
c.CalipsoplusProposals.url = "https://useroffice.alba.example/services/experiments/$USERNAME/"
c.CalipsoplusProposals.user = "portal"
c.CalipsoplusProposals.password_file = "/etc/daas-hub/secrets/useroffice"
c.CalipsoplusProposals.fields = {"visit.data": ""}

# directories: neither the cycle nor the end of the name follows from the proposal's number
c.MountRules.data = ["/beamlines/{beamline|lower}/projects/cycle*/{proposal}-*"]
c.MountRules.processed = "/beamlines/{beamline|lower}/projects/cycle*/{proposal}-*/PROCESSED_DATA"
c.MountRules.create_processed = False
c.MountRules.home = "/home/{account}"
