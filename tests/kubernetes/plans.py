"""Plans of sessions in a cluster, and the pods they become (the golden files)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.kubernetes.pod_settings import Placement, PodIdentity, PodSettings, SizeInPlace
from daas_hub.spawners.kubernetes.volumes import ClaimStorage, CsiStorage, HostPathStorage, NfsStorage

GOLDEN = Path(__file__).with_name("golden")

DIGEST = "sha256:" + "0123456789abcdef" * 4
ANNA = Account("anna", 25001, 25002, (26001, 26002, 25002), {26001: "MA-4242"}, "Anna Lindqvist")
PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, command=("pymca",), image=f"registry.example.org/pymca:1@{DIGEST}")
LAB = Application("lab", "JupyterLab", Kind.NOTEBOOK, image=f"registry.example.org/lab@{DIGEST}")
LICENSED = replace(PYMCA, name="licensed", egress=("licence.example.org:27000", "licence.example.org:27001"))
TERMINAL = Application("terminal", "Terminal", Kind.DESKTOP, command=("xterm",), image=PYMCA.image)
SMALL = Size("small", "2 processors", 4 * 2**30, 1.5, 1000, 12)
GPU = Size("gpu", "8 processors and a GPU", 64 * 2**30, 8, 4000, 6)


def mount(source: str, target: str, *, writable: bool = False, is_visit: bool = False) -> Mount:
    path = PurePosixPath(source)
    return Mount(path.parent, path, target, writable, is_visit=is_visit)


HOME = mount("/gpfs/homes/anna", ".", writable=True)
DATA = mount("/data/visitor/MA-4242/2", "data")
PROCESSED = mount("/data/processed/MA-4242", "processed", writable=True)

CLAIMS = (
    ClaimStorage(PurePosixPath("/gpfs/homes"), "homes"),
    ClaimStorage(PurePosixPath("/data"), "data", "facility"),
)
HOST = (HostPathStorage(PurePosixPath("/"), "/mnt/facility"),)
NFS = (*CLAIMS[:1], NfsStorage(PurePosixPath("/data"), "nfs.example.org", "/export/data"))
CSI = (
    CsiStorage(PurePosixPath("/gpfs/homes"), "nfs.csi.k8s.io", {"server": "nfs.example.org"}, "share", "/export/homes"),
    CsiStorage(PurePosixPath("/data"), "gpfs.csi.example.org", {"cluster": "one"}, "", "visitors", "gpfs-login"),
)

PLAIN = PodSettings("hub-a1b2", "daas-sessions", storage=CLAIMS)
IDENTITY = PodIdentity(
    "daas-0123456789abcdef0123",
    "0123456789abcdef0123",
    "f00dfeedf00dfeed",
    environment_secret="daas-0123456789abcdef0123",
    files_secret="daas-0123456789abcdef0123-files",
    ends=1_796_083_200.0,
)

_SEVERAL = (
    HOME,
    mount("/data/visitor/MA-4242/2", "Proposals/MA-4242/visit-2", is_visit=True),
    mount("/data/visitor/MA-4242/3", "Proposals/MA-4242/visit-3", is_visit=True),
    mount("/data/visitor/HC-17/1", "Proposals/HC-17/visit-1", is_visit=True),
    mount("/data/processed/HC-17", "Proposals/HC-17/processed", writable=True),
)
DESKTOP = Plan(ANNA, PYMCA, SMALL, (HOME, DATA, PROCESSED), "MA-4242", "Glass", 2, beamlines=("ID21",))
NOTEBOOK = Plan(ANNA, LAB, SMALL, _SEVERAL, visits=(("MA-4242", 2), ("MA-4242", 3), ("HC-17", 1)))
GPU_PLACE = replace(
    PLAIN,
    place="large",
    pull_secrets=("registry-login",),
    placement=Placement({"kubernetes.io/os": "linux"}),
    by_beamline={"ID21": Placement({"example.org/zone": "id21"})},
    by_size={
        "gpu": SizeInPlace(
            Placement(
                {"example.org/gpu": "a100"},
                ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
            ),
            {"nvidia.com/gpu": 1},
            64 * 2**30,
        )
    },
    priority_class="daas-sessions",
    grace_by_application={"pymca": 45},
)

#: By the name of its golden file: plan, and settings of the place.
CASES: Mapping[str, tuple[Plan, PodSettings]] = {
    "desktop": (DESKTOP, PLAIN),
    "notebook-several-visits": (NOTEBOOK, PLAIN),
    "gpu": (replace(DESKTOP, size=GPU), GPU_PLACE),
    "host-path": (DESKTOP, replace(PLAIN, storage=HOST, node_storage=True, hub_has_storage=True)),
    "nfs": (DESKTOP, replace(PLAIN, storage=NFS, node_storage=True)),
    "csi": (DESKTOP, replace(PLAIN, storage=CSI)),
    "terminal-without-proposal": (Plan(ANNA, TERMINAL, SMALL, (HOME,)), PLAIN),
    "licensed": (
        replace(DESKTOP, application=LICENSED),
        replace(PLAIN, egress_addresses={"licence.example.org": ("192.0.2.17",)}),
    ),
}
