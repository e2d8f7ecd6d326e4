"""What runs inside a session: the desktop server, the notebook server's socket, supervision, activity.

Imports nothing of the house but `errors`: this room also runs in an image that has no hub.
"""
