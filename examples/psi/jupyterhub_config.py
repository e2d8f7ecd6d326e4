"""PSI: SciCat, p-groups, and e-accounts with the same digits.

A proposal's group p15874 in SciCat is the Unix group of that name; its members see the proposal. Raw data are below
/sls in e15874, results in /das/work/p15/p15874. `proposal_pattern` defines what an id looks like: a template with only
a part of an id needs it.

Addresses and directories are to be confirmed on site; `daas-hub doctor` tries them.
"""

from pathlib import Path

from daas_hub import configure

configure(c)

ISSUER = "https://sso.psi.example/realms/users"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # behind a web server with TLS
c.JupyterHub.public_url = "https://daas.psi.example/"
c.JupyterHub.subdomain_host = "https://daas.psi.example"  # a host name for each session: *.daas.psi.example
c.Facility.name = "PSI"
c.Facility.user_office_url = "https://duo.psi.example/"
c.Facility.catalogue = [str(Path(__file__).parent.parent / "applications")]

c.UmbrellaAuthenticator.profile = "keycloak"
c.UmbrellaAuthenticator.oidc_issuer = ISSUER
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret_file = "/etc/daas-hub/secrets/oidc"

c.Facility.accounts = "ldap"
c.LdapAccounts.servers = ["ldaps://ldap.psi.example"]
c.LdapAccounts.ca_file = "/etc/daas-hub/ldap-ca.pem"
c.LdapAccounts.issuers = [ISSUER]
c.LdapAccounts.person_base = "ou=people,dc=facility,dc=org"
c.LdapAccounts.person_filter = "(&(objectClass=posixAccount)(uid={claim.preferred_username}))"
c.LdapAccounts.group_base = "ou=groups,dc=facility,dc=org"

# a functional account of SciCat sees every proposal; the portal keeps those of the person's groups
c.Facility.proposals = "scicat"
c.SciCatProposals.url = "https://scicat.psi.example/api/v3"
c.SciCatProposals.user = "reader"
c.SciCatProposals.password_file = "/etc/daas-hub/secrets/scicat"

c.MountRules.proposal_pattern = "p[0-9]{5}"
c.MountRules.data = ["/sls/{beamline|lower}/e{proposal[1:]}"]
c.MountRules.processed = "/das/work/{proposal[0:3]}/{proposal}"
c.MountRules.create_processed = False
c.MountRules.home = "/das/home/{account}"
