"""The Helm chart as tests render and install it."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import ROOT, Cluster

CHART = ROOT / "deploy" / "helm" / "daas-hub"
FOR_Z2JH = ROOT / "deploy" / "zero-to-jupyterhub"
RELEASE, NAMESPACE = "portal", "daas-portal"

Json = dict[str, Any]

#: What an administrator must say.
LEAST: Json = {
    "image": {"repository": "registry.facility.org/daas/hub"},
    "portal": {"url": "https://daas.facility.org"},
}
#: Two namespaces of this cluster, one of which two places share, and another cluster.
PLACES: Json = {
    "sessions": {"pullSecrets": ["registry"], "quota": {"pods": "500"}},
    "gateway": {"service": {"type": "NodePort", "nodePort": 30006}},
    "places": [
        {"name": "nodes", "title": "Cluster", "earlier_sessions": True},
        {"name": "large", "title": "Large nodes", "settings": {"node_selector": {"large": "yes"}}, "capacity": 20},
        {
            "name": "gpu",
            "title": "GPU nodes",
            "default_for": {"applications": ["imaging"]},
            "sessions": {"namespace": {"name": "daas-gpu"}, "quota": {"pods": "8"}, "pullSecrets": []},
        },
        {
            "name": "south",
            "title": "South hall",
            "sessions": {"egress": [], "egressAddresses": {"daq.facility.org": ["192.0.2.17"]}},
            "cluster": {
                "kubeconfigSecret": "south",
                "gatewayAddress": "192.0.2.10:8012",
                "podNetworks": ["10.60.0.0/16"],
            },
        },
    ],
}
#: What sessions in another cluster than their hub's need there.
REMOTE: Json = {
    "existingHub": {"enabled": True, "serviceAccount": "hub", "addresses": ["192.0.2.0/28", "2001:db8::/64"]},
}


class HelmFailed(Exception):
    """Helm failed; the text is its own."""


def merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> Json:
    """Return values with others in them, as Helm merges two files."""
    found = copy.deepcopy(dict(values))
    for key, value in more.items():
        old = found.get(key)
        found[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def helm(cluster: Cluster, *arguments: str, values: Mapping[str, Any] | None = None, timeout: float = 60) -> str:
    """Run helm and return what it prints.

    Raises:
        HelmFailed: it failed.
    """
    options = [] if values is None else ["--values", "-"]
    done = subprocess.run(
        [cluster.program("helm"), "--kubeconfig", str(cluster.kubeconfig), *arguments, *options],
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise HelmFailed(done.stderr.strip())
    return done.stdout


def render(cluster: Cluster, values: Mapping[str, Any], *options: str) -> str:
    """Return the chart's objects as text, without asking a cluster."""
    return helm(cluster, "template", RELEASE, str(CHART), "--namespace", NAMESPACE, *options, values=values)


def objects(text: str) -> list[Json]:
    """Return the objects of a rendered chart."""
    return [one for one in yaml.safe_load_all(text) if one]


def one(found: list[Json], kind: str, name: str) -> Json:
    """Return the one object of a kind and a name."""
    (result,) = [each for each in found if each["kind"] == kind and each["metadata"]["name"] == name]
    return result


def write_configuration(found: list[Json], folder: Path) -> dict[str, str]:
    """Write a hub's files from a rendered chart, with this folder for each of its own; return the hub's environment."""
    files = one(found, "ConfigMap", "portal-config")["data"]
    files |= {
        f"applications/{name}": text for name, text in one(found, "ConfigMap", "portal-applications")["data"].items()
    }
    (folder / "applications").mkdir()
    for name, text in files.items():
        (folder / name).write_text(re.sub(r"/etc/daas-hub|/run/daas-secrets|/var/lib/daas-hub", str(folder), text))
    (folder / "oidc").write_text("only-for-this-test\n")
    (folder / "oidc").chmod(0o600)
    (hub,) = one(found, "Deployment", "portal-hub")["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each.get("value", "0123456789abcdef" * 4) for each in hub["env"]}
    return given | {"DAAS_SESSION_GATEWAY": "localhost:8012"}


def values_of_the_page() -> Json:
    """Return the values that docs/how-to/install-on-kubernetes.md has."""
    text = (ROOT / "docs" / "how-to" / "install-on-kubernetes.md").read_text()
    blocks = dict(re.findall(r"```yaml\n# /etc/daas-hub/(\S+)\n(.*?)```", text, re.DOTALL))
    return merged(*(yaml.safe_load(blocks[name]) for name in ("values.yaml", "more-values.yaml")))


def claims_of_the_page() -> list[Json]:
    """Return the volume and the claim that the page has."""
    text = (ROOT / "docs" / "how-to" / "install-on-kubernetes.md").read_text()
    (block,) = re.findall(r"```yaml\n# /etc/daas-hub/claims.yaml\n(.*?)```", text, re.DOTALL)
    return objects(block)


def examples_of_values() -> dict[str, Json]:
    """Return values that turn on each part of the chart, by what they are about."""
    node = {
        "enabled": True,
        "hostPaths": [{"path": "/data/visitor", "readOnly": True}, {"path": "/home", "readOnly": False}],
        "nfs": [{"server": "nfs.facility.org", "path": "/export/visitor", "readOnly": True}],
    }
    return {
        "least": LEAST,
        "the page": values_of_the_page(),
        "another chart's hub": yaml.safe_load((FOR_Z2JH / "sessions.yaml").read_text()),
        "by digest": merged(LEAST, {"image": {"digest": "sha256:" + "0" * 64, "pullSecrets": [{"name": "registry"}]}}),
        "below a path": merged(LEAST, {"portal": {"url": "https://www.facility.org/daas/"}}),
        "ingress": merged(LEAST, {"ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"}}),
        "own secrets": merged(LEAST, {"secrets": {"existing": "ours", "files": "passwords"}}),
        "own database": merged(LEAST, {"hub": {"databaseSecret": "database", "storage": {"existingClaim": "state"}}}),
        "egress": merged(
            LEAST,
            {
                "sessions": {
                    "egress": [["daq.facility.org:443", "daq.facility.org:80"], ["icat.facility.org:443"]],
                    "egressAddresses": {"daq.facility.org": ["192.0.2.17"], "icat.facility.org": ["198.51.100.0/28"]},
                }
            },
        ),
        "directories of nodes": merged(
            LEAST, {"sessions": {"nodeStorage": node, "imagePrefixes": ["registry.facility.org/daas/"]}}
        ),
        "places": merged(LEAST, PLACES),
        "a hub in another cluster": REMOTE,
        "placed": merged(
            LEAST,
            {
                "hub": {"nodeSelector": {"role": "portal"}, "tolerations": [{"operator": "Exists"}]},
                "proxy": {"service": {"type": "NodePort", "nodePort": 30005}, "nodeSelector": {"role": "portal"}},
                "sessions": {"quota": {"pods": "500"}, "namespace": {"labels": {"team": "computing"}}},
            },
        ),
        "files": merged(
            LEAST,
            {
                "config": 'c.Facility.name = "{{ not a template }}"\n',
                "files": {"accounts.yaml": "accounts: []\n", "proposals.yaml": "proposals: []\n"},
                "applications": {"pymca.yaml": "name: pymca\n", "sizes.yaml": "sizes: {}\n"},
            },
        ),
    }
