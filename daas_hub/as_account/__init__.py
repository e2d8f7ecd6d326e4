"""A process that opens, creates and compares directories as the account whose session needs them.

To a file server that squashes root, the hub is nobody. `client.py` is the hub's side, `serve.py` the process,
`become.py` its change of ids, and `walk.py`, `create.py` and `mounts.py` what it does. It imports the standard library
and `daas_hub.errors` only.
"""
