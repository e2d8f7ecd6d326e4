"""Ask the portal as a browser does, through its proxy; end with an error if it does not answer within a minute."""

import os
import sys
import time
import urllib.request

until = time.monotonic() + 60
for address in ("hub/health", "hub/api/"):
    while True:
        try:
            with urllib.request.urlopen(os.environ["PROXY"] + address, timeout=10) as answer:  # noqa: S310
                print(f"{address}: {answer.status} {answer.read(200).decode()}")
            break
        except OSError as problem:
            if time.monotonic() > until:
                sys.exit(f"{os.environ['PROXY']}{address}: {problem}")
        time.sleep(2)
