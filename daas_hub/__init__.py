"""daas_hub: JupyterHub as the data-analysis portal of a photon or neutron facility."""

from daas_hub.configuration import configure, read_environment

__all__ = ["configure", "read_environment"]
