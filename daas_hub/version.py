"""The version, in the one place setup.cfg and the pages read it from."""

__version__ = "0.1.0"
