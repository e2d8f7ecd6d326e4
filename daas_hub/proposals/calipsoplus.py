"""Proposals from a user office that speaks the CALIPSOplus portal's REST contract, so that it need not change.

A GET of one configured address with the account's name in it, by HTTP Basic or without, answers in pages. What the
contract's own portal took lightly is settled here: the address is kept letter by letter (a slash at its end matters to
many servers), the next page is asked for at the same address whatever `next` names, and directories that cannot be
understood leave the session out instead of showing others.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from traitlets import Int, Unicode
from traitlets.config import Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.identity import Account
from daas_hub.proposals.service import ProposalService
from daas_hub.secretfile import read_secret
from daas_hub.webservice import Conversation, basic_auth

_NAME = "$USERNAME"


class CalipsoplusProposals(ProposalService):
    """Proposals from a user office with the CALIPSOplus REST contract: `Facility.proposals = "calipsoplus"`."""

    source = "calipsoplus"
    called = "The user office"
    FIELDS = {
        "id": "proposal_id|serial_number",
        "title": "subject",
        "abstract": "body",
        "beamlines": "beam_line",
        "group": "gid",
        "visits": "sessions",
        # the contract's own document spells it with one s
        "visit.number": "session_number|sesion_number",
        "visit.name": "session_number|sesion_number",
        "visit.title": "subject",
        "visit.start": "start_date",
        "visit.end": "end_date",
        "visit.data": "data_set_path",
    }

    url = Unicode(
        config=True,
        help="""
        Address of a person's experiments, in full, with $USERNAME where the account's name goes.
        Example: "https://useroffice.facility.org/services/experiments/$USERNAME/". No default. Since 0.1.
        """,
    )
    user = Unicode(
        config=True,
        help='Name for HTTP Basic. Example: "daas". Default: none, and nothing is sent. Since 0.1.',
    )
    password_file = Unicode(
        config=True,
        help="""
        File with the password for HTTP Basic, readable by the hub's user alone.
        Example: "/etc/daas/secrets/useroffice". Needed with `user`. Since 0.1.
        """,
    )
    page_size = Int(
        100, min=1, config=True, help="Proposals asked for at a time; the service may give fewer. Since 0.1."
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if _NAME not in self.url:
            raise ConfigurationError(
                self.setting("url"), self.url, "would ask the same for everybody", remedy=f"Put {_NAME} into it."
            )
        if ":" in self.user:
            raise ConfigurationError(self.setting("user"), self.user, "has a colon", remedy="HTTP Basic allows none.")
        if self.user:
            read_secret(self.setting("password_file"), self.password_file)

    async def records_of(self, talk: Conversation, account: Account) -> list[Any]:
        """Ask for all pages of this account's experiments; an account the user office does not know has none."""
        headers = basic_auth(self.user, await self.secret("password_file")) if self.user else None
        url = self.service.url.replace(_NAME, quote(account.name, safe=""))
        records: list[Any] = []
        query: dict[str, str] = {"page_size": str(self.page_size), "page": "1"}
        asked: list[dict[str, str]] = []
        while query not in asked:
            asked.append(query)
            reply = await talk.get(url, f"page {len(asked)} of the experiments", params=query, headers=headers)
            # a server that has no such address answers 404, too, but not in JSON
            if reply.status == 404 and reply.is_json and len(asked) == 1:
                return []
            page = talk.require(reply, dict)
            results = page.get("results")
            if not isinstance(results, list):
                talk.give_up("an object without a list of results")
            records += results
            self.require_room(talk, records)
            following = page.get("next")
            if not isinstance(following, str) or not following or not results:
                return records
            query = query | dict(parse_qsl(urlsplit(following).query))
        talk.give_up("a next page that was there before")

    def data_of(self, values: list[Any]) -> tuple[str, ...]:
        """Give the directories a session's volumes show read-only (see `volumes_of`)."""
        return volumes_of(values)


def volumes_of(values: list[Any]) -> tuple[str, ...]:
    """Read `data_set_path`: {"/data/x": {"bind": "", "mode": "ro"}}, as an object or a text, which may have ' for ".

    Only directories to be shown read-only are raw data; where results go is the portal's own affair
    (`MountRules.processed`). Where a directory was bound is not: each session has its own ~/data.

    Raises:
        ValueError: it is anything else.
    """
    found: dict[str, None] = {}
    for value in values:
        volumes = _parsed(value) if isinstance(value, str) else value
        if not isinstance(volumes, dict):
            if volumes in ([], None):
                continue
            raise ValueError(f"its data_set_path is {value!r:.80}")
        for path, volume in volumes.items():
            mode = volume.get("mode") if isinstance(volume, dict) else None
            if mode not in ("ro", "rw") or not path.startswith("/") or not path.isprintable():
                raise ValueError(f"its data_set_path has {path!r:.80}: {volume!r:.80}")
            if mode == "ro":
                found[re.sub(r"(?<=.)/+$", "", path)] = None
    return tuple(found)


def _parsed(text: str) -> Any:
    for spelling in (text, text.replace("'", '"')):
        try:
            return json.loads(spelling)
        except (ValueError, RecursionError):
            continue
    raise ValueError(f"its data_set_path is {text!r:.80}")
