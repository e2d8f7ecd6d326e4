"""The demo as containers, behind nginx: what compose.yaml's hub reads. A facility writes its own file, beside this one.

Hub, proxy, nginx and identity provider share one network namespace, so all of them listen on its 127.0.0.1, and the
demo's own check of the address holds as it is. The only way in is nginx's port, published on the host's 127.0.0.1.
"""

import os
from functools import partial
from pathlib import Path
from string import Template

from daas_hub import configure
from daas_hub.demo.image_catalogue import gather
from daas_hub.demo.profile import FOLDER
from daas_hub.spawners.docker.built_images import has_image

STORAGE = Path(os.environ["DAAS_DIR"])  # the same path here, on the engine's machine, and in the broker
PREFIX = os.environ.get("DAAS_PREFIX", "/daas/")
HOST = os.environ.get("DAAS_HOST") or "localhost"
ORIGIN = f"https://{HOST}:{os.environ.get('DAAS_PORT', '8443')}"
PORTAL = f"{ORIGIN}{PREFIX}"
ISSUER = f"https://localhost:{os.environ.get('DAAS_IDP_PORT', '8444')}"
REGISTRY = os.environ.get("DAAS_REGISTRY") or "localhost/daas-hub"
ENGINE = Path("/run/daas-broker/engine.sock")
OWN = Path("/var/lib/daas-hub")  # a volume of the hub alone: database and secrets


configure(c)  # noqa: F821

# -- where the portal is --------------------------------------------------------------------------------------------
c.JupyterHub.bind_url = f"http://127.0.0.1:8000{PREFIX}"  # noqa: F821
c.JupyterHub.hub_bind_url = "http://127.0.0.1:8081"  # noqa: F821
c.JupyterHub.public_url = PORTAL  # noqa: F821
if HOST != "localhost":
    # each session has a name below the portal's, which nginx and the proxy know, too
    c.JupyterHub.subdomain_host = ORIGIN  # noqa: F821
# the hub itself is reached by plain http: it would let this one cookie go over an open line
c.JupyterHub.tornado_settings["xsrf_cookie_kwargs"] = {"secure": True}  # noqa: F821
c.JupyterHub.db_url = f"sqlite:///{OWN}/jupyterhub.sqlite"  # noqa: F821
c.JupyterHub.cookie_secret_file = str(OWN / "cookie_secret")  # noqa: F821
c.CryptKeeper.keys = [(OWN / "crypt_key").read_text()]  # noqa: F821

# -- the proxy is a service of its own: a restart of the hub cuts nobody off ----------------------------------------
c.ConfigurableHTTPProxy.should_start = False  # noqa: F821
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"  # noqa: F821
c.ConfigurableHTTPProxy.auth_token = Path("/run/daas-proxy/token").read_text()  # noqa: F821
c.JupyterHub.cleanup_proxy = False  # noqa: F821

# -- login: the demo's provider, behind nginx on a port of its own --------------------------------------------------
c.UmbrellaAuthenticator.oidc_issuer = ISSUER  # noqa: F821
c.UmbrellaAuthenticator.client_id = "daas-hub-demo"  # noqa: F821
c.UmbrellaAuthenticator.client_secret = "not-a-secret-the-provider-is-a-demo"  # noqa: F821, S105
c.UmbrellaAuthenticator.oauth_callback_url = f"{PORTAL}hub/oauth_callback"  # noqa: F821
c.UmbrellaAuthenticator.login_service = "the demo's UmbrellaID"  # noqa: F821
c.UmbrellaAuthenticator.scope = ["openid", "profile"]  # noqa: F821

# -- accounts, proposals, applications, data ------------------------------------------------------------------------
accounts = Template((FOLDER / "accounts.yaml").read_text()).substitute(issuer=ISSUER)
(OWN / "accounts.yaml").write_text(accounts)
proposals = (FOLDER / "proposals.yaml").read_text().replace("/usr/share/pymca", str(STORAGE / "data" / "pymca"))
(OWN / "proposals.yaml").write_text(proposals)
# its people have no passwords: the hub refuses every address but 127.0.0.1
c.Facility.demo = True  # noqa: F821
c.Facility.name = "Demo Light Source"  # noqa: F821
c.Facility.help_text = "This is a demo: four people without passwords, on this machine only."  # noqa: F821
c.Facility.state = str(STORAGE)  # noqa: F821
c.Facility.accounts_file = str(OWN / "accounts.yaml")  # noqa: F821
c.Facility.proposals_file = str(OWN / "proposals.yaml")  # noqa: F821
c.Facility.catalogue = [  # noqa: F821
    # own tmpfs; what is built later is offered after a restart of the hub
    gather(Path("/etc/daas-hub/images"), Path("/tmp/catalogue"), REGISTRY, partial(has_image, ENGINE))  # noqa: S108
]
c.MountRules.data_roots = [str(STORAGE / "data")]  # noqa: F821

# -- sessions are containers, asked for at the broker ---------------------------------------------------------------
c.JupyterHub.spawner_class = "proposal-docker"  # noqa: F821
c.ProposalDockerSpawner.engine = f"unix://{ENGINE}"  # noqa: F821
c.ProposalDockerSpawner.runtime_dir = str(STORAGE / "run")  # noqa: F821
c.ProposalDockerSpawner.hub_label = os.environ["DAAS_HUB_LABEL"]  # noqa: F821
# the images are built here; a name that is missing here is nobody's in the world
c.ProposalDockerSpawner.pull = "never"  # noqa: F821
