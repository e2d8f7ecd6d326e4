"""The desktop of a session: X server, window manager, and the way of its picture to the browser."""
