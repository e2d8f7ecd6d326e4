"""The launch buttons of a page: each with its sizes, and with the session that runs already instead of a second one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from daas_hub.catalogue import Application, Kind
from daas_hub.launch import LaunchContent, LaunchRequest
from daas_hub.portal.offers import PersonalCatalogue
from daas_hub.portal.refusals import Refusal
from daas_hub.portal.views import button_view
from daas_hub.proposals import Proposal, Visit


class Buttons:
    """Renders applications as buttons.

    Args:
        catalogue: what this person may use.
        running: cards of sessions by what they were launched with.
        refused: a launch that was sent from this page; its size stays chosen.
    """

    def __init__(
        self,
        hub_url: str,
        catalogue: PersonalCatalogue,
        *,
        running: Mapping[LaunchContent, Mapping[str, Any]],
        refused: Refusal | None = None,
    ) -> None:
        self._hub_url = hub_url
        self._catalogue = catalogue
        self._running = running
        self._refused = refused

    def __call__(
        self,
        application: Application,
        proposal: Proposal | None,
        visit: Visit | None,
        *,
        several: Sequence[tuple[str, int]] = (),
        temporary_home: bool = False,
        size: str = "",
    ) -> dict[str, Any]:
        """Return one button; `size` is the one that is chosen already."""
        view = button_view(self._hub_url, application, proposal, visit, several=several, temporary_home=temporary_home)
        if application.kind is Kind.LINK:
            return view
        request = LaunchRequest(
            application.name,
            proposal.id if proposal else None,
            visit.number if visit else None,
            visits=tuple(several),
            temporary_home=temporary_home,
        )
        is_refused = self._refused is not None and self._refused.is_on(visit.number if visit else None)
        chosen = self._refused.size_for(application.name) if self._refused and is_refused else size
        return view | {"sizes": self._sizes(application, chosen), "running": self._running.get(request.content)}

    def only(self, applications: Iterable[Application]) -> tuple[Application, ...]:
        """Return those that this person may use."""
        return self._catalogue.only(applications)

    def _sizes(self, application: Application, chosen: str) -> list[dict[str, Any]]:
        """Return the sizes to choose from; [] if there is no choice, one if the launch has to name it."""
        sizes, default = self._catalogue.sizes_of(application)
        if len(sizes) < 2 and not self._catalogue.must_name_size(application):
            return []
        selected = chosen if chosen in {one.name for one in sizes} else default
        views = [{"name": one.name, "title": one.title, "selected": one.name == selected} for one in sizes]
        usual = {"name": "", "title": "Usual size", "selected": not selected}
        return views if default else [usual, *views]
