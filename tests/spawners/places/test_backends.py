"""The configuration of each place, and the sentence for each mistake that only its spawner knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets.config import Config

from daas_hub.spawners.docker.spawner import ProposalDockerSpawner
from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner
from daas_hub.spawners.places.backends import Backends, problems_of
from daas_hub.spawners.places.spawner import PlacesSpawner
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

#: What a hub needs, with an authenticator that knows nothing of facilities.
PLAIN: dict[str, Any] = {
    "JupyterHub": {"authenticator_class": "dummy", "spawner_class": "places", "allow_named_servers": True},
    "Facility": {"identity_of": lambda user, auth_state: None},
}


def configuration(places: dict[str, Any], **more: Any) -> Config:
    """Return a hub's configuration with these places."""
    config = Config(PLAIN)
    config.merge(Config({"Places": {"places": places}} | more))
    return config


def sentences(places: dict[str, Any], **more: Any) -> str:
    """Return the problems of places as text, except those of this machine."""
    return "\n".join(
        str(one) for one in problems_of(configuration(places, **more)) if "SandboxSpawner.prefix" not in str(one)
    )


TWO_ENGINES = {
    "near": {"spawner": "proposal-docker", "settings": {"engine": "unix:///run/docker.sock"}},
    "far": {"spawner": "proposal-docker", "settings": {"engine": "ssh://daas@far"}},
}


def test_two_engines_are_two_of_everything() -> None:
    """Each its own client, sockets, label and names: whatever one of them ends is its own."""
    backends = Backends.of(configuration(TWO_ENGINES, Spawner={"start_timeout": 77}, SandboxSpawner={"bwrap": "x"}))
    near, far = (backends[name].settings() for name in ("near", "far"))
    assert near.docker_engine is not far.docker_engine
    assert (near.docker_engine.address.url, far.docker_engine.address.url) == (
        "unix:///run/docker.sock",
        "ssh://daas@far",
    )
    assert (near.place, far.place) == ("near", "far")
    assert near.runtime_dir.endswith("/places/near")
    assert far.runtime_dir.endswith("/places/far")
    assert near.hub_label != far.hub_label
    assert near.name_on_backend("anna", "x") != far.name_on_backend("anna", "x")
    assert near.start_timeout == far.start_timeout == 77


def test_same_engine_twice_is_two_places() -> None:
    """With the same socket: names and labels have the place in them."""
    same = {name: {"spawner": "proposal-docker"} for name in ("one", "two")}
    one, two = (backend.settings() for backend in Backends.of(configuration(same)).values())
    assert one.docker_engine.address == two.docker_engine.address
    assert one.docker_engine is not two.docker_engine
    assert one.name_on_backend("anna", "x") != two.name_on_backend("anna", "x")


def test_what_takes_precedence() -> None:
    """The place's own setting, then its spawner's, then PlacesSpawner's, then Spawner's."""
    places = {
        "a": {"spawner": "sandbox", "settings": {"http_timeout": 4}},
        "b": {"spawner": "sandbox"},
        "c": {"spawner": "proposal-docker"},
    }
    config = configuration(
        places, Spawner={"http_timeout": 1}, PlacesSpawner={"http_timeout": 2}, SandboxSpawner={"http_timeout": 3}
    )
    found = {name: backend.settings().http_timeout for name, backend in Backends.of(config).items()}
    assert found == {"a": 4, "b": 3, "c": 2}
    # the hub's own configuration is as it was
    assert config.SandboxSpawner == Config(http_timeout=3)
    assert config.Spawner == Config(http_timeout=1)


def clusters(**keys: dict[str, Any]) -> dict[str, Any]:
    """Return places that are one namespace of one cluster, with these further keys."""
    settings = {"hub_id": "portal", "namespace": "sessions", "gateway_address": "10.96.40.12:8012"}
    return {
        name: {"spawner": "proposal-kubernetes", **more, "settings": settings | more.get("settings", {})}
        for name, more in keys.items()
    }


def test_one_namespace_can_be_two_places() -> None:
    """Pods differ in their names and labels; one watch sees nothing of the other's."""
    backends = Backends.of(configuration(clusters(a={}, b={})))
    a, b = (backends[name].settings() for name in ("a", "b"))
    assert (a.selector, b.selector) == (
        "daas-hub/hub=portal,daas-hub/place=a",
        "daas-hub/hub=portal,daas-hub/place=b",
    )
    assert a.name_on_backend("anna", "x") != b.name_on_backend("anna", "x")
    assert a.records is not b.records
    assert problems_of(configuration(clusters(a={}, b={}))) == []


def test_two_clusters_have_two_clients(tmp_path: Path) -> None:
    """With the same names of everything, and certificates of their own."""
    ca = {name: str(tmp_path / name) for name in ("a", "b")}
    places = clusters(
        **{
            name: {"settings": {"k8s_api_host": "https://10.0.0.1:6443", "k8s_api_ssl_ca_cert": ca[name]}}
            for name in ca
        }
    )
    backends = Backends.of(configuration(places))
    assert [backends[name].settings().access.ca for name in ca] == list(ca.values())
    assert backends["a"].settings().client is not backends["b"].settings().client
    assert backends["a"].settings().client is backends["a"].settings().client


@pytest.mark.parametrize(
    ("former", "label"), [({}, "kubernetes"), ({"place_label": "pool"}, "pool"), ({"place": "old"}, "old")]
)
def test_earlier_pods_keep_their_label(former: dict[str, str], label: str) -> None:
    """By which the cluster's watch finds them, and which is in their names."""
    places = clusters(cluster={"earlier_sessions": True}, more={})
    places["more"]["settings"]["place_label"] = "more"
    config = configuration(places, ProposalKubeSpawner=former)
    alone = ProposalKubeSpawner(config=Config(ProposalKubeSpawner=places["cluster"]["settings"] | former))
    found = Backends.of(config)["cluster"].settings()
    assert found.place == "cluster"
    assert found.selector == alone.selector == f"daas-hub/hub=portal,daas-hub/place={label}"
    assert found.name_on_backend("anna", "x") == alone.name_on_backend("anna", "x")
    assert Backends.of(config)["more"].settings().place_label == "more"


def test_former_names_of_settings_are_reported_for_a_place() -> None:
    """KubeSpawner takes them out of the configuration as soon as a spawner exists."""
    found = sentences(clusters(a={}), KubeSpawner={"singleuser_uid": 1000})
    assert "KubeSpawner.singleuser_uid = '(set)': is a name of KubeSpawner 0.8" in found


def test_earlier_sessions_keep_their_directory() -> None:
    places = {"here": {"spawner": "sandbox", "earlier_sessions": True}, "more": {"spawner": "sandbox"}}
    backends = Backends.of(configuration(places, SandboxSpawner={"runtime_dir": "/run/x"}))
    assert backends["here"].settings().runtime_dir == "/run/x"
    assert backends["more"].settings().runtime_dir == "/run/x/places/more"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"spawner": "sandbx"}, "Did you mean 'sandbox'?"),
        ({"spawner": "simple"}, "cannot run the sessions of a place"),
        ({"spawner": SimpleLocalProcessSpawner}, "cannot run the sessions of a place"),
        ({"spawner": "places"}, "cannot run the sessions of a place"),
        ({"settings": {"bwarp": "x"}}, "is not a setting of SandboxSpawner Did you mean 'bwrap'?"),
        ({"settings": {"start_timeout": "soon"}}, "has the wrong type It must be"),
        ({"settings": {"mem_limit": "1G"}}, "Place 'here': SandboxSpawner.mem_limit = '(set)': does not apply"),
        ({"settings": {"options_form": "x"}}, "Set c.PlacesSpawner.options_form for all."),
        ({"settings": {"place": "other"}}, "is used before a place is chosen"),
        (
            {"spawner": "proposal-docker", "settings": {"engine": "tcp://far:2375"}},
            "Place 'here': ProposalDockerSpawner.engine = 'tcp://far:2375': is an engine without authentication",
        ),
    ],
)
def test_mistakes(keys: dict[str, Any], words: str) -> None:
    assert words in sentences({"here": {"spawner": "sandbox"} | keys})


@pytest.mark.parametrize("setting", ["host_for_each_session", "server_token_scopes", "place"])
def test_settings_that_the_hub_reads_before_are_not_ignored(setting: str) -> None:
    """In the section of the place's spawner, which the hub does not read."""
    found = sentences({"here": {"spawner": "sandbox"}}, SandboxSpawner={setting: False if "host" in setting else "x"})
    assert f"SandboxSpawner.{setting} = '(set)': is used before a place is chosen" in found


def test_a_wrong_setting_shows_no_secret() -> None:
    assert "hunter2" not in sentences({"here": {"spawner": "sandbox", "settings": {"environment": "hunter2"}}})


@pytest.mark.parametrize(
    ("spawner", "setting", "value"),
    [
        ("sandbox", "runtime_dir", "/run/daas-test"),
        ("proposal-docker", "hub_label", "one-label"),
        ("proposal-kubernetes", "place_label", "one-label"),
    ],
)
def test_two_places_that_would_end_each_others_sessions(spawner: str, setting: str, value: str, tmp_path: Path) -> None:
    one = {"spawner": spawner, "settings": {setting: value}}
    portal = {"hub_id": "portal", "gateway_address": "10.96.40.12:8012"}
    found = sentences({"a": one, "b": one}, SandboxSpawner={"prefix": "/usr"}, ProposalKubeSpawner=portal)
    assert f"Places.places['b']['settings']['{setting}'] = '{value}': is that of the place 'a', too" in found


def test_no_places_and_places_without_their_spawner() -> None:
    assert "has no place, and JupyterHub.spawner_class is 'places'" in sentences({})
    config = configuration({"here": {"spawner": "sandbox"}})
    for cls in (SandboxSpawner, ProposalDockerSpawner):
        assert any('Set c.JupyterHub.spawner_class = "places"' in str(one) for one in cls.startup_problems(config))
    assert not any("Places.places" in str(one) for one in PlacesSpawner.startup_problems(config))


@pytest.mark.parametrize("name", sorted(PlacesSpawner.stock_settings.refused))
def test_what_does_not_work_is_refused(name: str) -> None:
    config = configuration({"here": {"spawner": "sandbox"}}, PlacesSpawner={name: "anything"})
    assert any(f"PlacesSpawner.{name}" in str(one) for one in PlacesSpawner.startup_problems(config))
