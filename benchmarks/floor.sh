#!/bin/sh
# The floor inside its sandbox: an Xvnc on the unix socket $1, then the common desktop as soon as the display answers.
Xvnc :1 -rfbunixpath "$1" -rfbport -1 -nolisten tcp -SecurityTypes None -AlwaysShared -geometry 1680x1050 &
until [ -S /tmp/.X11-unix/X1 ]; do sleep 0.005; done
export DISPLAY=:1
exec "$(dirname "$0")/desktop.sh"
