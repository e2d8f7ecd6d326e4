"""Sessions in containers of a Docker engine."""
