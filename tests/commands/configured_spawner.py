"""The spawner of configurations that commands read: it satisfies the portal, and wants nothing of this machine."""

#: Lines of a configuration; the sandbox itself is tried elsewhere.
AUTHORISING_SPAWNER = '''
from jupyterhub.spawner import SimpleLocalProcessSpawner

class AuthorisingSpawner(SimpleLocalProcessSpawner):
    """Refuses every launch."""

    async def authorise_start(self, options):
        raise PermissionError("nothing is launched here")

c.JupyterHub.spawner_class = AuthorisingSpawner
'''
