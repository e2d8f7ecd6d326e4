"""From a user's request to a plan: parse, choose, mount, join. Everything here is pure."""

from daas_hub.launch.choices import Choice, offered, offered_for_all, require_choice
from daas_hub.launch.deep_links import Link, meanings, proposals_named_in
from daas_hub.launch.mounts import DirectoryRule, Mount, MountPolicy, mounts_of
from daas_hub.launch.places import Defaults, Launch, Option, Place, PlaceState, options, placed, require_place
from daas_hub.launch.plan import Plan, beamtimes_of, groups_for_quotas, make_plan
from daas_hub.launch.real_paths import UNCHANGED, Alias, collides
from daas_hub.launch.request import (
    MAX_VISITS,
    LaunchContent,
    LaunchRequest,
    content_of,
    has_temporary_home,
    read_visit_value,
    visit_value,
    visits_in,
)
from daas_hub.launch.runas import RunAs, account_name_for, require_named
from daas_hub.launch.visit_links import address_of, require_template

__all__ = [
    "MAX_VISITS",
    "UNCHANGED",
    "Alias",
    "Choice",
    "Defaults",
    "DirectoryRule",
    "Launch",
    "LaunchContent",
    "LaunchRequest",
    "Link",
    "Mount",
    "MountPolicy",
    "Option",
    "Place",
    "PlaceState",
    "Plan",
    "RunAs",
    "account_name_for",
    "address_of",
    "beamtimes_of",
    "collides",
    "content_of",
    "groups_for_quotas",
    "has_temporary_home",
    "make_plan",
    "meanings",
    "mounts_of",
    "offered",
    "offered_for_all",
    "options",
    "placed",
    "proposals_named_in",
    "read_visit_value",
    "require_choice",
    "require_named",
    "require_place",
    "require_template",
    "visit_value",
    "visits_in",
]
