"""JupyterHub configuration of the stock peer: nothing of ours, only what makes it run on loopback as a demo.

Its pages are chosen in its favour: the desktop is the first page of a server, JupyterLab is never loaded.
"""

import os
from pathlib import Path

from traitlets.config import get_config

c = get_config()

state = Path(os.environ["BENCH_STATE"])
port = int(os.environ["BENCH_PORT"])

c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port + 1}"
c.JupyterHub.db_url = f"sqlite:///{state}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 2}"
c.ConfigurableHTTPProxy.command = [os.environ["BENCH_PROXY"]]
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["BENCH_PASSWORD"]
c.Authenticator.allow_all = True

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(state / "home" / "{username}")
c.Spawner.default_url = os.environ["BENCH_PAGE"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {
    "BENCH_APPLICATION": os.environ["BENCH_APPLICATION"],
    "JUPYTER_REMOTE_DESKTOP_PROXY_XSTARTUP": str(Path(__file__).resolve().parent / "desktop.sh"),
}
