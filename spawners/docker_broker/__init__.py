"""A program between the hub and the Docker engine that admits only the containers of sessions."""
