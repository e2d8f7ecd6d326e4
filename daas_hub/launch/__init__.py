"""From what a user asked to a plan: parse, choose, mount, join. Everything here is pure."""

from daas_hub.launch.choices import Choice, offered, require_choice
from daas_hub.launch.mounts import DirectoryRule, Mount, MountPolicy, mounts_of
from daas_hub.launch.plan import Plan, make_plan
from daas_hub.launch.request import LaunchRequest
from daas_hub.launch.runas import RunAs, account_name_for, require_named

__all__ = [
    "Choice",
    "DirectoryRule",
    "LaunchRequest",
    "Mount",
    "MountPolicy",
    "Plan",
    "RunAs",
    "account_name_for",
    "make_plan",
    "mounts_of",
    "offered",
    "require_choice",
    "require_named",
]
