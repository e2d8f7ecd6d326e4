"""What runs inside a session: the desktop server, the notebook server's socket, supervision, activity.

Imports nothing of the package but `errors` and `relay`: it also runs in images that have no hub.
"""
