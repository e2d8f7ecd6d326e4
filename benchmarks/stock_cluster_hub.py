"""JupyterHub configuration of the stock peer on a cluster: KubeSpawner, the node proxy, nothing of ours."""

import os
import secrets
from pathlib import Path

from traitlets.config import get_config

c = get_config()
state, port = Path(os.environ["BENCH_STATE"]), int(os.environ["BENCH_PORT"])

c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port + 2}"
c.JupyterHub.db_url = f"sqlite:///{state}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.JupyterHub.cleanup_servers = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 3}"
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
c.ConfigurableHTTPProxy.auth_token = secrets.token_hex(16)

# the driver is added to them
c.JupyterHub.services, c.JupyterHub.load_roles, c.JupyterHub.tornado_settings = [], [], {}
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
# the limit of ours is the same: none
c.JupyterHub.concurrent_spawn_limit = 0

c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.namespace = os.environ["BENCH_NAMESPACE"]
c.KubeSpawner.image = "registry.example.org/terminal:1"
c.KubeSpawner.port = int(os.environ["BENCH_SESSIONS_PORT"])
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.mem_limit = "1G"
c.KubeSpawner.cpu_limit = 1
c.Spawner.start_timeout = 600
