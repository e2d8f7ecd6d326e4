"""What tests on a real engine share: sessions, containers, and the words of the portal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker

from tests.docker.engine import containers
from tests.live_portal import Person, Portal, plain_text
from tests.waiting import wait_for


def doctor(portal: Portal, more: str = "", *options: str) -> tuple[int, dict[str, Any]]:
    """Run it; give its exit code and its report."""
    config = portal.state / "doctor_config.py"
    config.write_text((portal.state / "test_config.py").read_text() + more)
    config.chmod(0o600)
    said = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "daas-hub"), "doctor", str(config), "--json", *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ
        | {"DAAS_DEMO_PORT": str(portal.port), "DAAS_DEMO_STATE": str(portal.state), "DAAS_DEMO_HOST": "127.0.0.1"},
    )
    assert said.stdout, said.stderr
    return said.returncode, json.loads(said.stdout)


def findings_of(report: dict[str, Any], key: str) -> list[dict[str, str]]:
    return [one for one in report["findings"] if one["key"] == key]


def require_words(portal: Portal, person: Person, words: str, *, timeout_s: float = 30, **fields: str) -> None:
    """Launch, and wait until the answer or the session's page says so."""
    answer = person.post("/hub/launch", fields)
    page = answer.url.removeprefix(portal.url)
    wait_for(lambda: words in plain_text(answer) or words in plain_text(person.get(page)), words, timeout_s)


def home_text(person: Person) -> str:
    """Return the words of the home page."""
    return plain_text(person.get("/hub/home"))


def container_of(engine: docker.APIClient, portal: Portal) -> str:
    """Return the name of the one session there is."""
    (one,) = containers(engine, portal)
    return str(one["Names"][0].lstrip("/"))


IDENTITY = r"""
id
grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status
unshare -Ur true; echo unshare=$?
cat /etc/passwd /etc/group /etc/resolv.conf
pwd; umask
find / -xdev -perm /6000 -type f 2>/dev/null | head; echo setuid done
echo env; env | sort
"""


WRITABLE = r"""
for place in $(awk '{print $5}' /proc/self/mountinfo) / /etc /opt /opt/daas-hub /usr /usr/local /var /var/lib /run \
    /home /srv /root /var/cache /var/log /sys/fs/cgroup /proc/sys /proc/sysrq-trigger /run/daas-hub \
    /run/daas-sockets; do
  if [ -d "$place" ]; then
    if (: > "$place/.daas-probe") 2>/dev/null; then echo "writable $place"; rm -f "$place/.daas-probe"; fi
  fi
done
for file in /etc/passwd /etc/hosts /etc/hostname /etc/resolv.conf /run/daas-hub/api.sock; do
  if (: >> $file) 2>/dev/null; then echo "writable $file"; fi
done
echo tried
"""
