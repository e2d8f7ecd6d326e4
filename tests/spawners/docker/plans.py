"""A plan, and the create call it becomes (the golden file)."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.launch import Mount, Plan

GOLDEN = Path(__file__).with_name("create.json")


ANNA = Account("anna", 25001, 25002, (26001, 26002, 25002), {26001: "MA-4242"}, "Anna Lindqvist")


PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, command=("pymca",), image="localhost/daas-hub/pymca:0.1.0")


SMALL = Size("small", "2 processors", 4 * 2**30, 1.5, 1000, 12)


def mount(source: str, target: str, *, writable: bool = False) -> Mount:
    return Mount(PurePosixPath(source).parent, PurePosixPath(source), target, writable, writable)


HOME = mount("/gpfs/homes/anna", ".", writable=True)


PROCESSED = mount("/data/processed/MA-4242", "processed", writable=True)


PLAN = Plan(ANNA, PYMCA, SMALL, (HOME, mount("/data/visitor/MA-4242/2", "data"), PROCESSED), "MA-4242", "Glass", 2)
