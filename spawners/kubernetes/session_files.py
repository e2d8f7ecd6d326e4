"""What a session finds besides its directories: generated files, icons, and its environment."""

from __future__ import annotations

from collections.abc import Mapping

from daas_hub.catalogue import Application, icon_file
from daas_hub.launch import Plan
from daas_hub.policy.time_zone import zone_data
from daas_hub.spawners.guest_layout import identity_texts
from daas_hub.spawners.kubernetes.pod_settings import FILES_DIR, IDENTITY_FILES


def icon_name(application: Application) -> str:
    """Return the name of an application's icon among the generated files."""
    return f"icon-{application.name}.svg"


def icon_path(application: Application) -> str:
    """Return the path at which a session finds an application's icon."""
    return f"{FILES_DIR}/{icon_name(application)}"


def generated_files(plan: Plan) -> dict[str, bytes]:
    """Return the files of a session by name: who it is, its time zone, and the icons of its menu."""
    texts = identity_texts(plan.account)
    files = {name: texts[name].encode() for name in IDENTITY_FILES if name in texts}
    files["localtime"] = zone_data(plan.timezone)
    return files | {icon_name(one): icon_file(one).read_bytes() for one in plan.desktops}


def secret_environment(environment: Mapping[str, str]) -> dict[str, bytes]:
    """Return the variables of a session as the content of its Secret."""
    return {name: value.encode() for name, value in environment.items()}
