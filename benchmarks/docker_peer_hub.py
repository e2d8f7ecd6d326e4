"""JupyterHub configuration of the stock peer with containers: DockerSpawner, its bridge network, nothing of ours."""

import os
from pathlib import Path

from traitlets.config import get_config

exec(Path(__file__).with_name("peer_hub.py").read_text())  # the same hub, with another spawner

c = get_config()
bridge = os.environ["BENCH_BRIDGE"]
port = int(os.environ["BENCH_PORT"])
c.JupyterHub.hub_bind_url = f"http://{bridge}:{port + 1}"
c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.image = os.environ["BENCH_IMAGE"]
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.Spawner.environment = {
    "BENCH_APPLICATION": os.environ["BENCH_APPLICATION"],
    "JUPYTER_REMOTE_DESKTOP_PROXY_XSTARTUP": "/opt/bench/desktop.sh",
}
