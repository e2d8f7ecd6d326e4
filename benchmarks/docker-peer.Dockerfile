# The stock peer's image: what a user of DockerSpawner and jupyter-remote-desktop-proxy would install, on our Debian.
FROM debian:trixie-slim
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
    dbus-x11 openbox pymca python3-venv tigervnc-standalone-server tigervnc-tools x11-xserver-utils
COPY peer-requirements.txt /opt/bench/
RUN python3 -m venv /opt/peer && /opt/peer/bin/pip install -q -r /opt/bench/peer-requirements.txt
COPY desktop.sh /opt/bench/
RUN chmod 755 /opt/bench/desktop.sh
ENV PATH=/opt/peer/bin:/usr/local/bin:/usr/bin:/bin HOME=/root
WORKDIR /root
