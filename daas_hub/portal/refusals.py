"""A launch that was not started, for the page where it was pressed: the reason, and everything that was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from daas_hub.portal.session_names import new_session_name


@dataclass(frozen=True)
class Refusal:
    """Why nothing was started, and the form as it was sent.

    Attributes:
        words: the reason, worded for the user.
        status: of the response.
        page: the address that the form was sent from, below the hub's prefix; "" for the launch page.
        failed_at_home: a temporary home would avoid it.
        is_about_limits: the page *Your use and limits* has the numbers behind it.
        reference: of the launch, for the administrators; "" where its user can act without them.
        running: the card of an identical session that runs already; None if that is not the reason.
    """

    words: str
    status: int
    fields: Mapping[str, str]
    visits: Sequence[str] = ()
    page: str = ""
    failed_at_home: bool = False
    is_about_limits: bool = False
    reference: str = ""
    running: Mapping[str, Any] | None = None

    @property
    def title(self) -> str:
        """The beginning of the page's title."""
        return "Already running" if self.running else "Not launched"

    @property
    def address(self) -> str:
        """The page's address below the hub's prefix: a reload opens it again, instead of sending the form again."""
        given = [(name, value) for name, value in self.fields.items() if value and name != "temporary_home"]
        return self.page or f"launch?{urlencode([*given, *(('visits', value) for value in self.visits)])}"

    def is_on(self, visit: int | None) -> bool:
        """Return whether the launch was on this visit of its proposal; with None: without a proposal."""
        return self.fields.get("visit", "") == ("" if visit is None else str(visit))

    def size_for(self, application: str) -> str:
        """Return the size that was chosen for this application; "" if another one was to be launched."""
        return self.fields.get("size", "") if self.fields.get("application") == application else ""

    def view(self) -> dict[str, Any]:
        """Return it for a template, with a form that asks again."""
        fields = {name: value for name, value in self.fields.items() if value}
        return {
            "words": self.words,
            "running": self.running,
            "is_about_limits": self.is_about_limits,
            "reference": self.reference,
            "offers_temporary_home": self.failed_at_home and "temporary_home" not in fields,
            "fields": fields,
            "visits": list(self.visits),
            "session_name": new_session_name(self.fields.get("application") or "session"),
        }
