"""The next larger size, for a session whose memory was used up: what its card says of it, and the launch with it."""

from __future__ import annotations

from typing import Any

from daas_hub.launch import LaunchRequest, visit_value
from daas_hub.portal.offers import PersonalCatalogue
from daas_hub.portal.session_names import new_session_name


def larger_size_view(spawner: Any, catalogue: PersonalCatalogue) -> dict[str, Any] | None:
    """Return the launch of an ended session again with the next larger size; None if its memory was not used up.

    Without a larger size that its person may use, `size` is empty. A place that does not have the size is left out of
    `fields`.
    """
    used_up = getattr(spawner, "memory_used_up", 0)
    options = spawner.orm_spawner.user_options or {}
    application = catalogue.catalogue.applications.get(str(options.get("application", "")))
    if not used_up or application is None or not catalogue.has(application):
        return None
    size = catalogue.larger_size(application, used_up)
    if size is None:
        return {"title": application.title, "size": ""}
    request = LaunchRequest.from_json(options)
    place = next((one for one in catalogue.places if one.name == request.place), None)
    fields = {
        "application": application.name,
        "proposal": request.proposal,
        "visit": request.visit,
        "size": size.name,
        "temporary_home": "1" if request.temporary_home else None,
        "place": place.name if place is not None and size.name in (place.sizes or (size.name,)) else None,
    }
    return {
        "title": application.title,
        "size": size.name,
        "size_title": size.title,
        "fields": {name: str(value) for name, value in fields.items() if value is not None},
        "visits": [visit_value(*one) for one in request.visits],
        "session_name": new_session_name(application.name),
    }
