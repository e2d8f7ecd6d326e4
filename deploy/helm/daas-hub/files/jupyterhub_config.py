"""What the chart knows of the portal; the administrator's lines follow, and may change everything here."""

import json
import os
import socket
from pathlib import Path

from daas_hub import configure

configure(c)  # noqa: F821

# -- where the portal is --------------------------------------------------------------------------------------------
c.JupyterHub.public_url = os.environ["DAAS_PORTAL_URL"]  # noqa: F821
c.JupyterHub.bind_url = "http://:8000" + os.environ["DAAS_PREFIX"]  # noqa: F821
c.JupyterHub.hub_bind_url = os.environ["DAAS_HUB_BIND"]  # noqa: F821
c.JupyterHub.hub_connect_url = os.environ["DAAS_HUB_CONNECT"]  # noqa: F821
# the hub itself is reached by plain http: it would let this one cookie go over an open line
c.JupyterHub.tornado_settings["xsrf_cookie_kwargs"] = {"secure": True}  # noqa: F821

# -- the proxy is a pod of its own: a restart of the hub cuts nobody off --------------------------------------------
c.ConfigurableHTTPProxy.should_start = False  # noqa: F821
c.ConfigurableHTTPProxy.api_url = os.environ["DAAS_PROXY_API"]  # noqa: F821
c.JupyterHub.cleanup_proxy = False  # noqa: F821

# -- what the hub keeps: its secrets are in its environment (JPY_COOKIE_SECRET, JUPYTERHUB_CRYPT_KEY) -----------------
c.JupyterHub.db_url = os.environ.get("DAAS_DATABASE") or "sqlite:////var/lib/daas-hub/jupyterhub.sqlite"  # noqa: F821
c.Facility.state = "/var/lib/daas-hub"  # noqa: F821
c.Facility.min_id, c.Facility.max_id = int(os.environ["DAAS_MIN_ID"]), int(os.environ["DAAS_MAX_ID"])  # noqa: F821
c.Facility.catalogue = ["/etc/daas-hub/applications"]  # noqa: F821
for _setting, _name in (("accounts_file", "accounts.yaml"), ("proposals_file", "proposals.yaml")):
    if Path("/etc/daas-hub", _name).exists():
        c.Facility[_setting] = f"/etc/daas-hub/{_name}"  # noqa: F821

# -- sessions are pods of a namespace of their own ------------------------------------------------------------------
c.JupyterHub.spawner_class = "proposal-kubernetes"  # noqa: F821
# records of starts and stops: a new hub must find them
c.ProposalKubeSpawner.runtime_dir = "/var/lib/daas-hub/run"  # noqa: F821
c.ProposalKubeSpawner.hub_id = os.environ["DAAS_HUB_ID"]  # noqa: F821
c.ProposalKubeSpawner.namespace = os.environ["DAAS_SESSIONS_NAMESPACE"]  # noqa: F821
_sessions = json.loads(Path("/etc/daas-hub/sessions.json").read_text())
c.ProposalKubeSpawner.node_storage = _sessions["nodeStorage"]["enabled"]  # noqa: F821
c.ProposalKubeSpawner.image_pull_secrets = _sessions["pullSecrets"]  # noqa: F821
c.ProposalKubeSpawner.gateway_bind = "0.0.0.0:" + os.environ["DAAS_GATEWAY_PORT"]  # noqa: F821
if os.environ["DAAS_PRIORITY_CLASS"]:
    c.ProposalKubeSpawner.priority_class_name = os.environ["DAAS_PRIORITY_CLASS"]  # noqa: F821
c.ProposalKubeSpawner.pods = {  # noqa: F821
    "port": int(os.environ["DAAS_SESSION_PORT"]),
    "egress_addresses": _sessions["egressAddresses"],
}
if "DAAS_SESSION_GATEWAY" in os.environ:  # in the hub's own pod
    # sessions have no name server: they are given the address of the Service, which stays what it is
    _host, _, _port = os.environ["DAAS_SESSION_GATEWAY"].rpartition(":")
    c.ProposalKubeSpawner.gateway_address = f"{socket.gethostbyname(_host)}:{_port}"  # noqa: F821


# -- several places: what one does not say of itself is as above -----------------------------------------------------
def place_of(values):
    """Return a place of the chart's values as `Places.places` has it."""
    sessions, cluster = values.get("sessions", {}), values.get("cluster")
    settings = {}
    if "namespace" in sessions:
        settings["namespace"] = sessions["namespace"]["name"]
    if "nodeStorage" in sessions:
        settings["node_storage"] = sessions["nodeStorage"]["enabled"]
    if "pullSecrets" in sessions:
        settings["image_pull_secrets"] = sessions["pullSecrets"]
    if "egressAddresses" in sessions:
        settings["pods"] = c.ProposalKubeSpawner.pods | {"egress_addresses": sessions["egressAddresses"]}  # noqa: F821
    if cluster:
        settings["kubeconfig"] = f"/run/daas-secrets/kubeconfig-{values['name']}"
        settings["gateway_address"] = cluster["gatewayAddress"]
        # of this cluster
        settings["priority_class_name"] = ""
    own = {key: value for key, value in values.items() if key not in ("name", "sessions", "cluster")}
    return own | {"spawner": "proposal-kubernetes", "settings": settings | own.get("settings", {})}


if _places := _sessions["places"]:
    c.JupyterHub.spawner_class = "places"  # noqa: F821
    c.Places.places = {one["name"]: place_of(one) for one in _places}  # noqa: F821
