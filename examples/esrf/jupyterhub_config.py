"""ESRF: Keycloak, LDAP, ICAT+ in each person's own name, and directories in the layout of 2022 or the one before.

ICAT+ is asked with the access token of the person's own login, so it shows what that person may see. Administrators
come from a group of the directory.

Addresses and the names of groups are to be confirmed on site; `daas-hub doctor` tries them.
"""

from pathlib import Path

from daas_hub import configure

configure(c)

ISSUER = "https://sso.esrf.example/realms/ESRF"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # behind a web server with TLS
c.JupyterHub.public_url = "https://daas.esrf.example/"
c.JupyterHub.subdomain_host = "https://daas.esrf.example"  # a host name for each session: *.daas.esrf.example
c.Facility.name = "ESRF"
c.Facility.user_office_url = "https://smis.esrf.example/"
c.Facility.catalogue = [str(Path(__file__).parent.parent / "applications")]

c.UmbrellaAuthenticator.profile = "keycloak"
c.UmbrellaAuthenticator.oidc_issuer = ISSUER
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret_file = "/etc/daas-hub/secrets/oidc"

c.Facility.accounts = "ldap"
c.LdapAccounts.servers = ["ldaps://ldap.esrf.example"]
c.LdapAccounts.ca_file = "/etc/daas-hub/ldap-ca.pem"
c.LdapAccounts.issuers = [ISSUER]
c.LdapAccounts.person_base = "ou=people,dc=facility,dc=org"
c.LdapAccounts.person_filter = "(&(objectClass=posixAccount)(uid={claim.preferred_username}))"
c.LdapAccounts.group_base = "ou=groups,dc=facility,dc=org"
c.RoleRules.admin_groups = ["daas-admins"]

c.Facility.proposals = "icatplus"
c.IcatPlusProposals.url = "https://icatplus.esrf.example"
c.IcatPlusProposals.issuer = ISSUER

# directories: /data/visitor/mx2633/id30a1/20260309/RAW_DATA; before the third layout there was no day
VISIT = "/data/visitor/{proposal|lower|nodash}/{beamline|lower|nodash}"
c.Facility.timezone = "Europe/Paris"
c.MountRules.data = [{"path": [VISIT + "/{start|date}/RAW_DATA", VISIT]}]
c.MountRules.processed = "/data/visitor/{proposal|lower|nodash}/processed"
c.MountRules.extra = [
    {"name": "scratch", "path": "/tmp_14_days/{account}", "writable": True, "create": True},
    {"name": "tools", "path": "/sware/exp", "optional": True},
]
c.MountRules.home = "/home/{account}"
