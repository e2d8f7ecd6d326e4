"""Links from the portal to a visit's page on another site (SynchWeb, an electronic logbook). Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from daas_hub.errors import ConfigurationError
from daas_hub.proposals.model import Proposal, Visit

_FIELD = re.compile(r"\{([^{}]*)\}")
_FIELDS = ("proposal", "visit", "number")


def require_template(setting: str, template: str) -> None:
    """Check the template of addresses on another site; "" disables the links.

    Raises:
        ConfigurationError: it is not https, its host depends on the visit, or it has unknown fields.
    """
    if not template:
        return
    example = 'Example: "https://synchweb.facility.org/dc/visit/{visit}".'
    unknown = [name for name in _FIELD.findall(template) if name not in _FIELDS]
    if unknown or "{" in _FIELD.sub("", template) or "}" in _FIELD.sub("", template):
        unknown = unknown or ["{"]
        raise ConfigurationError(setting, template, f"has an unknown field {unknown[0]!r}", remedy=example)
    try:
        parts = urlsplit(template)
        is_address = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not template.isprintable() or " " in template:
        raise ConfigurationError(setting, template, "is not an https:// address", remedy=example)
    if "{" in parts.netloc or "@" in parts.netloc or "\\" in template:
        raise ConfigurationError(setting, template, "has a host that is not fixed", remedy=example)
    if not _FIELD.findall(template):
        raise ConfigurationError(setting, template, "is the same for all visits", remedy=example)


def address_of(template: str, proposal: Proposal, visit: Visit) -> str:
    """Return the address of a visit on another site; "" without a template."""
    values = {"proposal": proposal.id, "visit": visit.label, "number": str(visit.number)}
    return _FIELD.sub(lambda match: _component(values[match[1]]), template)


def _component(value: str) -> str:
    # quote() keeps dots, and browsers resolve a component of dots as a relative path
    return quote(value, safe="") if value.strip(".") else value.replace(".", "%2E")
