"""A program between the hub and the Docker engine that lets only a session's containers through."""
