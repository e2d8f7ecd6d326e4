"""The address of a session's socket, a path as the host of a URL, and the proxies that connect to it."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from jupyterhub.app import JupyterHub
from jupyterhub.proxy import ConfigurableHTTPProxy, Proxy
from traitlets.config import Config

from daas_hub.spawners.sockets import host_of_socket, proxy_problems


@pytest.mark.parametrize("path", ["/run/daas-hub/http.sock", "/var/tmp/Daas-ÄÖ/RUN/http.sock", "/srv/a b%41:80/x"])
def test_every_letter_of_a_path_survives(path: str) -> None:
    host = urlsplit(f"http+unix://{host_of_socket(Path(path))}/user/u1/").hostname
    assert host is not None
    assert unquote(host) == path


def test_nothing_in_it_ends_the_host() -> None:
    assert not set("/:@?#[]") & set(host_of_socket(Path("/a:b@c?d#e[f]/G")))


@pytest.mark.parametrize(
    "proxy", ["daas", "jupyterhub.proxy.ConfigurableHTTPProxy", ConfigurableHTTPProxy, "not-installed"]
)
def test_proxies_that_connect_to_sockets(proxy: Any) -> None:
    assert proxy_problems(Config(JupyterHub={"proxy_class": proxy})) == []


@pytest.mark.parametrize("proxy", ["traefik_file", "jupyterhub_traefik_proxy.TraefikFileProviderProxy"])
def test_a_proxy_that_does_not_is_refused(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traefik's, which is in the environment of the tests with servers only."""

    class TraefikFileProviderProxy(Proxy):
        pass

    package = ModuleType("jupyterhub_traefik_proxy")
    package.TraefikFileProviderProxy = TraefikFileProviderProxy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jupyterhub_traefik_proxy", package)
    trait = JupyterHub.class_traits()["proxy_class"]
    entry = EntryPoint("traefik_file", "jupyterhub_traefik_proxy:TraefikFileProviderProxy", "jupyterhub.proxies")
    monkeypatch.setattr(type(trait), "load_entry_points", lambda self: {"traefik_file": entry})
    (problem,) = proxy_problems(Config(JupyterHub={"proxy_class": proxy}))
    assert "does not connect to socket files" in str(problem)
    assert "run sessions on Kubernetes" in str(problem)
