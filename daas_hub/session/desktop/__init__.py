"""The desktop of a session: X server, window manager, application, and the stream of its screen."""
