"""The audit: who signed in, launched, ended, administered or connected what, as events of jupyter-events.

Each kind of event has a JSON schema in `schemas/`; an event that does not fit is not written. Nothing in an event is
secret, and no path is in it. A schema that changes gets a new version. `events.py` has a function per kind, which never
raises: an audit that cannot be written is logged and counted, and stops nobody.
"""
