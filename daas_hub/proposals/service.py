"""What every catalogue or user office that is asked over HTTP has in common: its settings, and the walk of a question.

A provider says three things: which fields its records have (`FIELDS`), how the records of one account are asked for
(`records_of`), and nothing else. Reading them, leaving out what cannot be used and telling it is the same for all.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from traitlets import Dict, Float, Int, Unicode
from traitlets.config import Configurable

from daas_hub.breaker import Breaker
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.identity import Account
from daas_hub.proposals.fields import FieldMap
from daas_hub.proposals.reading import Reading, directories_of, read_proposals
from daas_hub.proposals.records import Proposal
from daas_hub.proposals.telling import ToldOnce
from daas_hub.secretfile import read_secret
from daas_hub.webservice import Conversation, Service, require_url, trust_of


class ProposalService(Configurable):
    """Base of the sources that are asked over HTTP; what is set here holds for each of them."""

    #: the source's name in the configuration, and what users call it at the beginning of a sentence
    source: ClassVar[str] = ""
    called: ClassVar[str] = "The data catalogue"
    #: where the source has what; see `FieldMap`
    FIELDS: ClassVar[Mapping[str, str]] = {}

    url = Unicode(
        config=True,
        help="""
        The service's address, https:// (plain http:// on this machine only). Example: "https://icat.facility.org/icat".
        No default. Since 0.1.
        """,
    )
    fields = Dict(
        config=True,
        help="""
        Which field of the service's records is which of ours, where it is not the usual one. Words: id, title,
        abstract, beamlines, group, visits, visit.number, visit.name, visit.title, visit.beamline, visit.start,
        visit.end, visit.data. Values: a way ("a.b"), alternatives ("a|b"), a text with ways in it ("/data/{a}/{b}"), or
        "" for nothing. Example: {"title": "summary", "visit.data": "/data/visitor/{name}/{visitId}"}. Default: see the
        source's how-to page. Since 0.1.
        """,
    )
    timeout_s = Float(
        10.0,
        config=True,
        help="Seconds everything one question needs may take, pages and logins together. Example: 5. Since 0.1.",
    )
    most_bytes = Int(
        8_000_000, config=True, help="Most bytes of one answer; what is larger is refused, not read. Since 0.1."
    )
    most_records = Int(
        5000,
        config=True,
        help="Most records of one person. Who has more is shown none, and the log says so. Example: 20000. Since 0.1.",
    )
    ca_file = Unicode(
        config=True,
        help="""
        File with the certificates (PEM) of the authority that vouches for the service.
        Example: "/etc/ssl/facility.pem". Default: the machine's authorities. Since 0.1.
        """,
    )
    plain_http_because = Unicode(
        config=True,
        help="""
        Why this service may be asked without encryption; without a reason here http:// is refused.
        Example: "both are in the server room's own network". No default. Since 0.1.
        """,
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a source that asks for nothing when it is defined."""
        super().__init_subclass__(**kwargs)
        if cls.records_of is ProposalService.records_of:
            raise TypeError(f"{cls.__name__} has no records_of")

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        """Check the settings.

        Raises:
            ConfigurationError: naming the one that cannot work.
        """
        super().__init__(**({"parent": facility} if facility is not None else {}), **kwargs)
        if self.timeout_s <= 0:
            raise ConfigurationError(self.setting("timeout_s"), self.timeout_s, "is no time", remedy="Give seconds.")
        self.service = Service(
            source=self.source,
            called=self.called,
            url=require_url(self.setting("url"), self.url, plain_http_because=self.plain_http_because),
            timeout_s=self.timeout_s,
            most_bytes=self.most_bytes,
            tls=trust_of(self.setting("ca_file"), self.ca_file),
            breaker=Breaker(f"{self.source} at {self.url}"),
        )
        self.field_map = FieldMap.of(self.setting("fields"), self.FIELDS, self.fields)
        self.told = ToldOnce(self.source)

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Give the proposals of this account (see `ProposalSource`)."""
        async with self.service.conversation() as talk:
            records = await self.records_of(talk, account)
        reading = await asyncio.to_thread(self.read, records, account)
        for problem in reading.problems:
            self.told.tell(problem)
        return reading.proposals

    @abstractmethod
    async def records_of(self, talk: Conversation, account: Account) -> list[Any]:
        """Ask for the records of this account and nobody else.

        Raises:
            SourceUnavailable: the service did not answer as it should.
        """

    def read(self, records: list[Any], account: Account) -> Reading:
        """Turn records into proposals. Called in a thread."""
        group_ids = {name: gid for gid, name in account.group_names.items()}
        return read_proposals(records, self.field_map, group_ids=group_ids, data_of=self.data_of)

    def data_of(self, values: list[Any]) -> tuple[str, ...]:
        """Give the directories that the values of "visit.data" name (see `directories_of`)."""
        return directories_of(values)

    def setting(self, name: str) -> str:
        """Give a setting's full name, for an error."""
        return f"{type(self).__name__}.{name}"

    def address(self, *steps: str) -> str:
        """Give the address of something below the service's."""
        return "/".join([self.service.url.rstrip("/"), *steps])

    def require_room(self, talk: Conversation, records: list[Any]) -> None:
        """Check how much was read already.

        Raises:
            SourceUnavailable: more than `most_records`; half of somebody's proposals would look like all of them.
        """
        if len(records) > self.most_records:
            talk.give_up(f"more than {self.most_records} records (see {self.setting('most_records')})")

    async def secret(self, name: str) -> str:
        """Read a secret anew, so that one that is exchanged needs no restart.

        Raises:
            SourceUnavailable: its file went wrong since the hub started.
        """
        try:
            return await asyncio.to_thread(read_secret, self.setting(name), getattr(self, name))
        except ConfigurationError as error:
            raise SourceUnavailable(
                f"{self.called} cannot be asked at the moment.",
                remedy="The administrators were told.",
                detail=f"{self.source}: {error}",
            ) from None
