"""ELETTRA: a Virtual User Office that names the directories itself, on a special automount.

The VUO answers with the services of CALIPSOplus, and its `data_set_path` says where the data of each visit are. Opening
a directory mounts it; nothing is listed on the way, because an automounter shows nothing before it is asked.

The root of the automount is a placeholder: put yours. `daas-hub doctor` tries everything.
"""

from pathlib import Path

from daas_hub import configure

configure(c)

ISSUER = "https://login.elettra.example/realms/vuo"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # behind a web server with TLS
c.JupyterHub.public_url = "https://daas.elettra.example/"
c.JupyterHub.subdomain_host = "https://daas.elettra.example"  # a host name for each session: *.daas.elettra.example
c.Facility.name = "Elettra"
c.Facility.user_office_url = "https://vuo.elettra.example/"
c.Facility.catalogue = [str(Path(__file__).parent.parent / "applications")]

c.UmbrellaAuthenticator.profile = "keycloak"
c.UmbrellaAuthenticator.oidc_issuer = ISSUER
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret_file = "/etc/daas-hub/secrets/oidc"

# accounts: LDAP; a person's name there is the claim preferred_username, which nobody can change
c.Facility.accounts = "ldap"
c.LdapAccounts.servers = ["ldaps://ldap.elettra.example"]
c.LdapAccounts.ca_file = "/etc/daas-hub/ldap-ca.pem"
c.LdapAccounts.issuers = [ISSUER]
c.LdapAccounts.person_base = "ou=people,dc=facility,dc=org"
c.LdapAccounts.person_filter = "(&(objectClass=posixAccount)(uid={claim.preferred_username}))"
c.LdapAccounts.group_base = "ou=groups,dc=facility,dc=org"

c.Facility.proposals = "calipsoplus"
c.CalipsoplusProposals.url = "https://vuo.elettra.example/services/experiments/$USERNAME/"
c.CalipsoplusProposals.user = "portal"
c.CalipsoplusProposals.password_file = "/etc/daas-hub/secrets/vuo"

# directories: what the VUO returns, only below the automount; results in one directory per proposal
c.MountRules.data_roots = ["/store/automount"]
c.MountRules.processed = "/store/results/{proposal}"
c.MountRules.home = "/home/{account}"
