"""Create the Secret of the hub unless it is there: keys of cookies and of what is kept of logins, the proxy's token."""

import json
import os
import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path

account = Path("/var/run/secrets/kubernetes.io/serviceaccount")
secret = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": os.environ["SECRET"], "labels": {"app.kubernetes.io/part-of": "daas-hub"}},
    "stringData": {name: secrets.token_hex(32) for name in ("cookie-secret", "crypt-key", "proxy-token")},
}
host = os.environ["KUBERNETES_SERVICE_HOST"]
server = f"{f'[{host}]' if ':' in host else host}:{os.environ['KUBERNETES_SERVICE_PORT']}"
request = urllib.request.Request(
    f"https://{server}/api/v1/namespaces/{os.environ['NAMESPACE']}/secrets",
    data=json.dumps(secret).encode(),
    headers={"Authorization": f"Bearer {(account / 'token').read_text()}", "Content-Type": "application/json"},
)
try:
    context = ssl.create_default_context(cafile=str(account / "ca.crt"))
    urllib.request.urlopen(request, timeout=30, context=context)  # noqa: S310
    print("created")
except urllib.error.HTTPError as refusal:
    # 409: an earlier installation made it, and everybody's logins depend on it
    if refusal.code != 409:
        raise
    print("kept")
