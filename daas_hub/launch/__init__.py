"""From what a user asked to a plan: parse, choose, mount, join. Everything here is pure."""

from daas_hub.launch.choices import Choice, offered, require_choice
from daas_hub.launch.mounts import Mount, MountPolicy, mounts_of
from daas_hub.launch.plan import Plan, make_plan
from daas_hub.launch.request import LaunchRequest

__all__ = [
    "Choice",
    "LaunchRequest",
    "Mount",
    "MountPolicy",
    "Plan",
    "make_plan",
    "mounts_of",
    "offered",
    "require_choice",
]
