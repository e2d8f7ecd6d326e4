"""The chart on a real cluster: a portal that answers, its rights, an upgrade that nobody notices, and what is left."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import requests

from tests.cluster.chart import CHART, HelmFailed, helm
from tests.cluster.cluster import Cluster, Refused, pod
from tests.cluster.installed import HUB_USER, WAIT, Installed, installed_chart
from tests.waiting import within

#: Any name signs in: what is installed is tried here, not a facility's login.
CONFIG = """\
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
"""
RIGHTS = {
    "pods": "create delete get list patch watch", "pods/log": "get", "events": "list", "secrets": "create",
}  # fmt: skip


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[Installed]:
    """The chart, installed and ready."""
    with installed_chart(cluster, {"config": CONFIG}) as release:
        yield release


def sign_in(url: str, name: str) -> requests.Session:
    """Return a browser that is signed in, over plain http, as a web server before the proxy has it."""
    browser = requests.Session()
    page = browser.get(f"{url}/hub/login", timeout=30)
    page.raise_for_status()
    form = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert form is not None
    cookies = "; ".join(f"{one.name}={one.value}" for one in browser.cookies)
    data = {"username": name, "password": "x", "_xsrf": form[1]}
    answer = browser.post(f"{url}/hub/login", data=data, headers={"Cookie": cookies}, allow_redirects=False, timeout=30)
    assert answer.status_code == 302, answer.text
    return browser


def who_is(url: str, browser: requests.Session) -> str | None:
    """Return as whom the hub knows a browser."""
    cookies = "; ".join(f"{one.name}={one.value}" for one in browser.cookies)
    answer = requests.get(
        f"{url}/hub/api/user", headers={"Cookie": cookies, "Sec-Fetch-Site": "same-origin"}, timeout=30
    )
    name: str | None = answer.json().get("name") if answer.ok else None
    return name


def test_the_portal_answers_through_its_proxy(installed: Installed) -> None:
    within(60, installed.answers)
    assert requests.get(f"{installed.url}/hub/health", timeout=30).status_code == 200


def test_the_hub_is_nobody_of_its_node(installed: Installed) -> None:
    script = "print(open('/proc/1/status').read())"
    arguments = ["-n", installed.namespace, "exec", "deployment/portal-hub", "--", "python", "-c", script]
    status = dict(re.findall(r"^(\w+):\s+(.*)$", installed.cluster.kubectl(*arguments), re.MULTILINE))
    assert status["Uid"].split() == [str(HUB_USER)] * 4
    assert status["CapEff"] == status["CapBnd"] == "0" * 16
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def rights_of(installed: Installed, namespace: str) -> dict[str, str]:
    """Return the hub's verbs by resource as the API server lists them, without what everybody may."""
    account = f"system:serviceaccount:{installed.namespace}:portal-hub"
    text = installed.cluster.kubectl("auth", "can-i", "--list", "-n", namespace, "--as", account, "--no-headers")
    rows = [re.match(r"(\S+)\s.*\[([^\]]*)\]\s*$", line) for line in text.splitlines()]
    found = {row[1]: " ".join(sorted(row[2].split())) for row in rows if row is not None}
    return {
        resource: verbs for resource, verbs in found.items() if not resource.startswith("self") and resource[0] != "/"
    }


def test_the_hubs_rights_end_at_the_sessions_namespace(installed: Installed) -> None:
    assert rights_of(installed, installed.sessions) == RIGHTS
    for other in (installed.namespace, "kube-system", "default"):
        assert rights_of(installed, other) == {}


def test_the_proxy_has_no_token_of_the_api(installed: Installed) -> None:
    arguments = ["-n", installed.namespace, "exec", "deployment/portal-proxy", "--", "ls", "/var/run/secrets"]
    with pytest.raises(Refused, match="No such file"):
        installed.cluster.kubectl(*arguments)


def test_a_session_reaches_the_gateway_and_nothing_else(installed: Installed) -> None:
    cluster, sessions = installed.cluster, installed.sessions
    labels = {"app.kubernetes.io/managed-by": "daas-hub"}
    cluster.create(pod("session", labels=labels), "-n", sessions)
    cluster.wait_for_phase(sessions, "session", "Running")
    hub = cluster.get("-n", installed.namespace, "pod", "-l", "app.kubernetes.io/component=hub")["items"][0]
    proxy = cluster.get("-n", installed.namespace, "pod", "-l", "app.kubernetes.io/component=proxy")["items"][0]
    for closed in (
        f"{hub['status']['podIP']}:8081",
        f"{proxy['status']['podIP']}:8000",
        f"{proxy['status']['podIP']}:8001",
        "10.88.77.1:6443",
        "10.88.77.1:10250",
        "10.88.77.1:53",
    ):
        # the rules of a new pod lag behind it
        within(60, lambda closed=closed: not cluster.execute(sessions, "session", "connect", closed))  # type: ignore[misc]


def test_helm_test_asks_the_proxy_and_the_hub(installed: Installed) -> None:
    said = helm(installed.cluster, "test", "portal", "--namespace", installed.namespace, timeout=150)
    assert "Succeeded" in said


def test_an_upgrade_keeps_secrets_logins_and_the_proxy(installed: Installed) -> None:
    """H1, H2: nobody is signed out, no desktop is cut, and there are never two hubs."""
    cluster = installed.cluster
    browser = sign_in(installed.url, "anna")
    assert who_is(installed.url, browser) == "anna"
    secret = cluster.get("-n", installed.namespace, "secret", "portal-hub")
    proxy, hub = installed.pods_of("proxy"), installed.pods_of("hub")
    more = {"config": CONFIG + 'c.Facility.name = "Another name"\n'}
    installed.helm("upgrade", "portal", str(CHART), *WAIT, more=more)
    within(60, lambda: len(installed.pods_of("hub")) == 1)
    assert installed.pods_of("hub") != hub
    assert installed.pods_of("proxy") == proxy
    assert cluster.get("-n", installed.namespace, "secret", "portal-hub")["data"] == secret["data"]
    assert within(60, lambda: who_is(installed.url, browser)) == "anna"


def test_what_made_the_secrets_is_gone(installed: Installed) -> None:
    for kind in ("job", "role", "rolebinding", "serviceaccount"):
        names = [each["metadata"]["name"] for each in installed.cluster.get("-n", installed.namespace, kind)["items"]]
        assert "portal-secrets" not in names
    data = installed.cluster.get("-n", installed.namespace, "secret", "portal-hub")["data"]
    assert set(data) == {"cookie-secret", "crypt-key", "proxy-token"}
    assert len(set(data.values())) == 3
    logs = (installed.cluster.folder / "log" / "audit.log").read_text()
    assert not any(value in logs for value in data.values())


def test_two_replicas_are_refused_by_the_upgrade(installed: Installed) -> None:
    with pytest.raises(HelmFailed, match="replicas"):
        installed.helm("upgrade", "portal", str(CHART), more={"hub": {"replicas": 2}})


def test_sessions_and_the_database_outlive_the_chart(installed: Installed) -> None:
    """The last of this file: it removes the portal."""
    cluster = installed.cluster
    claim = installed.uid("persistentvolumeclaim", "portal-hub")
    cluster.create(pod("outlives"), "-n", installed.sessions)
    helm(cluster, "uninstall", "portal", "--namespace", installed.namespace, "--wait")
    assert cluster.wait_for_phase(installed.sessions, "outlives", "Running")
    assert installed.uid("persistentvolumeclaim", "portal-hub") == claim
    assert "portal-hub" in json.dumps(cluster.get("-n", installed.namespace, "secret"))
    installed.helm("install", "portal", str(CHART), *WAIT)
    within(60, installed.answers)
