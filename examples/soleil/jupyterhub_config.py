"""SOLEIL: the directory says everything: who somebody is, and by the names of groups which proposals are theirs.

There is no catalogue to ask. A group named 99240224 is the proposal of that number, and its members are the proposal's.
Where its data are follows from the number in part: /nfs/ruche/sixs-soleil/com-sixs/2025/Run1/Rigaku_99240224.

Addresses and directories are to be confirmed on site; `daas-hub doctor` tries them.
"""

from pathlib import Path

from daas_hub import configure

configure(c)

ISSUER = "https://login.soleil.example/realms/users"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # behind a web server with TLS
c.JupyterHub.public_url = "https://daas.soleil.example/"
c.JupyterHub.subdomain_host = "https://daas.soleil.example"  # a host name for each session: *.daas.soleil.example
c.Facility.name = "SOLEIL"
c.Facility.user_office_url = "https://sunset.soleil.example/"
c.Facility.catalogue = [str(Path(__file__).parent.parent / "applications")]

c.UmbrellaAuthenticator.profile = "keycloak"
c.UmbrellaAuthenticator.oidc_issuer = ISSUER
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret_file = "/etc/daas-hub/secrets/oidc"

# as long as some people have no other login: the directory's own password, over TLS. Remove the line, and it is gone
# c.UmbrellaAuthenticator.passwords = "ldap"
# c.PasswordLogin.issuer = "ldap:soleil"   # and into LdapAccounts.issuers

c.Facility.accounts = "ldap"
c.LdapAccounts.servers = ["ldaps://ldap.soleil.example"]
c.LdapAccounts.ca_file = "/etc/daas-hub/ldap-ca.pem"
c.LdapAccounts.issuers = [ISSUER]
c.LdapAccounts.person_base = "ou=people,dc=facility,dc=org"
c.LdapAccounts.person_filter = "(&(objectClass=posixAccount)(uid={claim.preferred_username}))"
c.LdapAccounts.group_base = "ou=groups,dc=facility,dc=org"

c.Facility.proposals = "groups"
c.GroupProposals.pattern = "(?P<proposal>[0-9]{8})"

# exactly one directory must match; two, and nothing is shown
c.MountRules.data = ["/nfs/ruche/*-soleil/com-*/*/Run*/*_{proposal}"]
c.MountRules.processed = "/nfs/share/processed/{proposal}"
c.MountRules.home = "/home/{account}"
