#!/bin/sh
# The floor inside its sandbox: an Xvnc on the unix socket $1, then the common desktop as soon as the display answers.
# With $BENCH_SERVER, which names a Python, also the least server of a screen, on the socket $1.web.
if [ -n "$BENCH_SERVER" ]; then "$BENCH_SERVER" -I "$(dirname "$0")/floor_server.py" "$1.web" "$1" & fi
Xvnc :1 -rfbunixpath "$1" -rfbport -1 -nolisten tcp -SecurityTypes None -AlwaysShared -geometry 1680x1050 &
until [ -S /tmp/.X11-unix/X1 ]; do sleep 0.005; done
export DISPLAY=:1
exec "$(dirname "$0")/desktop.sh"
