"""The command `daas-hub`."""
