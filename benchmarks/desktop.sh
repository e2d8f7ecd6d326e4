#!/bin/sh
# The desktop every measured system shows: a lit root window first, then the window manager and the application.
xsetroot -solid '#28527a'
openbox &
exec ${BENCH_APPLICATION:-pymca}
