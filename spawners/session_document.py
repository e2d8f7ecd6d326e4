"""What a session is given of its plan, and the program that serves it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from traitlets import HasTraits

from daas_hub.catalogue import Application, Kind, icon_file
from daas_hub.facility import Facility
from daas_hub.launch import Plan
from daas_hub.portal.assets import session_asset_keys
from daas_hub.spawners.egress import EgressRoute


@dataclass(frozen=True)
class DesktopPage:
    """What the page of a desktop says about its session.

    Attributes:
        title: of the application.
        session_title: of the session.
        belongs_to: what the window's title names beside the application.
        temporary_home: whether the home is deleted with the session.
    """

    title: str
    session_title: str
    belongs_to: str
    temporary_home: bool


class SessionDocumentMixin(HasTraits):
    """A spawner whose sessions are those of the portal: `daas-session` and `daas-lab`."""

    config: Any
    hub: Any
    user: Any

    def page_of_desktop(self, plan: Plan) -> DesktopPage | None:
        """Return what a desktop's page says; None for a notebook."""
        if plan.application.kind is Kind.NOTEBOOK:
            return None
        return DesktopPage(plan.application.title, plan.title, self._belongs_to(plan), plan.temporary_home)

    def _belongs_to(self, plan: Plan) -> str:
        return f"{plan.belongs_to} – {Facility.of(self.config).name}"

    def session_document(self, plan: Plan, routes: Sequence[EgressRoute] = ()) -> str:
        """Return what `daas-session` and `daas-lab` need of the plan, as JSON; nothing in it is secret."""
        applications = [
            {
                "name": one.name,
                "title": one.title,
                "command": list(one.command),
                "environment": dict(one.environment),
                "maximised": one.maximised,
                "icon": self.icon_inside(one),
            }
            for one in plan.desktops
        ]
        return json.dumps(
            {
                "title": plan.title,
                "belongs_to": self._belongs_to(plan),
                "application": plan.application.name,
                "applications": applications,
                "start_page": plan.application.start_page,
                "temporary_home": plan.temporary_home,
                "hub_home": f"{self.hub.base_url}home",
                "assets": session_asset_keys(self.user.settings),
                "egress": [one.as_document() for one in routes],
                "lifetime": plan.limits.as_document(),
                "disk_limits": self.disk_limits(plan),
            }
        )

    def disk_limits(self, plan: Plan) -> dict[str, int]:
        """Return the most that directories of a session may hold, in bytes, where their file systems do not show it."""
        return {}

    def icon_inside(self, application: Application) -> str:
        """Return the path of an application's icon inside the session; "" for none."""
        path = icon_file(application)
        return str(path) if path.is_relative_to(sys.prefix) else ""

    @staticmethod
    def session_program(plan: Plan) -> str:
        """Return the program that a session of this kind runs."""
        return "daas-lab" if plan.application.kind is Kind.NOTEBOOK else "daas-session"
