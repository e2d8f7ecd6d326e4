"""The only parser of launch requests: it turns any JSON, form or link into a checked record, or refuses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daas_hub.errors import BadRequest
from daas_hub.proposals.model import HIGHEST_VISIT, LOWEST_VISIT, PROPOSAL_ID

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KEYS = ("application", "proposal", "visit", "size")


@dataclass(frozen=True)
class LaunchRequest:
    """A launch request, well-formed but not yet authorised. No proposal means an own resource."""

    application: str
    proposal: str | None = None
    visit: int | None = None
    size: str | None = None

    @classmethod
    def from_json(cls, options: Any) -> LaunchRequest:
        """Read the options of a start, posted by anybody or stored by an earlier start.

        Only the known keys and their exact types are accepted; nothing is corrected.

        Raises:
            BadRequest: naming the invalid key.
        """
        if not isinstance(options, dict):
            raise BadRequest("A launch request must be an object with the keys " + ", ".join(_KEYS) + ".")
        unknown = [key for key in options if key not in _KEYS]
        if unknown:
            raise BadRequest(f"A launch has no option {_shown(unknown[0])}.", remedy=f"Known: {', '.join(_KEYS)}.")
        application = options.get("application")
        proposal, visit, size = options.get("proposal"), options.get("visit"), options.get("size")
        if not isinstance(application, str) or not _NAME.fullmatch(application):
            raise BadRequest("Please choose an application to launch.", remedy="Choose one from the portal's pages.")
        if proposal is not None and not (isinstance(proposal, str) and PROPOSAL_ID.fullmatch(proposal)):
            raise BadRequest("The proposal's id is not well-formed.")
        if visit is not None and not (type(visit) is int and LOWEST_VISIT <= visit <= HIGHEST_VISIT):
            raise BadRequest(f"The visit is not a number from {LOWEST_VISIT} to {HIGHEST_VISIT}.")
        if visit is not None and proposal is None:
            raise BadRequest("A visit needs a proposal.")
        if size is not None and not (isinstance(size, str) and _NAME.fullmatch(size)):
            raise BadRequest("The size is not well-formed.")
        return cls(application, proposal, visit, size)

    @classmethod
    def from_form(cls, fields: Mapping[str, str]) -> LaunchRequest:
        """Read a form or a link, where everything is text and an empty field counts as absent.

        Raises:
            BadRequest: naming the invalid field.
        """
        options: dict[str, Any] = {key: fields[key] for key in _KEYS if fields.get(key)}
        if "visit" in options:
            if not re.fullmatch(r"[0-9]{1,10}", options["visit"], re.ASCII):
                raise BadRequest(f"The visit is not a number from {LOWEST_VISIT} to {HIGHEST_VISIT}.")
            options["visit"] = int(options["visit"])
        return cls.from_json(options)

    def as_json(self) -> dict[str, Any]:
        """Return the options the hub stores: ids only, nothing sensitive."""
        values = {"application": self.application, "proposal": self.proposal, "visit": self.visit, "size": self.size}
        return {key: value for key, value in values.items() if value is not None}


def _shown(key: object) -> str:
    """Return a hostile key in a form that is safe in a page and a log line."""
    return repr(key if isinstance(key, str) else str(key))[:40]
