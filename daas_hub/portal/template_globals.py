"""`daas`, the only name that the portal's templates add to JupyterHub's: facility, assets, and the person's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from daas_hub.accounts import Account
from daas_hub.accounts.validity import read_end
from daas_hub.facility import Facility

#: The part of the policy that every page can have; error pages of the hub's handlers have the hub's own header.
SCRIPT_POLICY = "script-src 'self'; object-src 'none'; base-uri 'none'"


def person_of(user: Any, account: Account | None = None) -> dict[str, Any] | None:
    """Return what the header of a page shows about a user of the hub; None if nobody is signed in.

    Args:
        account: the account of the user, on pages that have asked for it.
    """
    if user is None:
        return None
    info = user.orm_user.user_info or {}
    person: dict[str, Any] = {
        "display_name": display_name_of(user.orm_user),
        "withheld": info.get("withheld"),
        "step_up": info.get("step_up"),
        "access_ends": info.get("access_ends"),
    }
    if account is not None:
        name = info.get("display_name") or account.display_name or account.name
        person |= {"display_name": name, "account_name": account.name, "uid": account.uid}
        person["access_ends"] = next((end.isoformat() for end in account.ends), None)
    return person


def display_name_of(orm_user: Any) -> str:
    """Return the name of a person, as the login gave it; the hub's name where it gave none."""
    return str((orm_user.user_info or {}).get("display_name") or orm_user.name)


class TemplateGlobals:
    """The variable `daas` of every template.

    Args:
        static: returns the address of an asset.
        session_assets: addresses of the files of a desktop's page, which pages with launch buttons fetch ahead.
        has_policy: whether the administrator has set a Content-Security-Policy for the hub.
        notices: returns the notices that a user of the hub sees; of None, those that everybody does.
        has_limits: whether the hub has quotas or a capacity, asked when a page is made.
    """

    def __init__(
        self,
        facility: Facility,
        static: Callable[[str], str],
        *,
        session_assets: Sequence[str] = (),
        has_policy: bool,
        notices: Callable[[Any], list[dict[str, Any]]],
        has_limits: Callable[[], bool],
    ) -> None:
        self.facility = {
            "name": facility.name,
            "help_text": facility.help_text,
            "user_office_url": facility.user_office_url,
            "has_links": bool(facility.links),
            "has_places": len(facility.places) > 1,
        }
        self.static = static
        self.session_assets = session_assets
        self.notices = notices
        self.has_limits = has_limits
        self.script_policy = "" if has_policy else SCRIPT_POLICY
        self._end_rules = facility.end_rules
        self.person = person_of
        self.display_name = display_name_of

    def access_warning(self, person: Mapping[str, Any] | None) -> str:
        """Return what a page says before somebody's access ends; "" while that is far away."""
        end = (person or {}).get("access_ends")
        return self._end_rules.warning(read_end(end)) if end else ""
