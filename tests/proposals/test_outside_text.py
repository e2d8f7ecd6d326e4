"""Every source with every hostile text: the record is shown, presentable on a page, and no other record suffers (A2).

The texts are in tests/hostile_texts.py, the one function that all sources use in daas_hub/services/outside_text.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from traitlets.config import Config

from daas_hub.errors import DocumentError
from daas_hub.portal.views import left_out_view, listing_view, visit_view
from daas_hub.proposals import Proposal, ProposalFile, Query
from daas_hub.proposals.listing import Listing
from daas_hub.proposals.reading import MAX_ABSTRACT, MAX_BEAMLINES, MAX_NAME, MAX_TITLE
from daas_hub.services.outside_text import encodable
from tests.hostile_texts import HOSTILE, is_presentable
from tests.proposal_sources import ANNA, CASES, Case
from tests.stand_ins.running import running

#: The fields of all services' records with text for people.
TEXTS = {
    *("title", "subject", "abstract", "body", "summary", "comment", "comments", "beam_line", "beamLineName"),
    *("visitId", "experimentId"),
}
ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
EVERY_TEXT = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())


def planted(value: Any, text: str) -> Any:
    """Return a value with this text in every field that is text for people."""
    if isinstance(value, list):
        return [planted(one, text) for one in value]
    if isinstance(value, dict):
        return {
            key: text if key in TEXTS and isinstance(one, str | None) else planted(one, text)
            for key, one in value.items()
        }
    return value


def plant(service: Any, text: str) -> None:
    """Put a text into all records of a stand-in."""
    assert is_dataclass(service)
    for one in fields(service):
        value = getattr(service, one.name)
        if isinstance(value, list | dict):
            setattr(service, one.name, planted(value, text))


def require_presentable(proposals: tuple[Proposal, ...]) -> None:
    """Check that proposals can be on a page, and that the page can be sent."""
    for proposal in proposals:
        assert is_presentable(proposal.title, MAX_TITLE)
        assert is_presentable(proposal.abstract, MAX_ABSTRACT, lines=True)
        assert len(proposal.beamlines) <= MAX_BEAMLINES
        names = [*proposal.beamlines, *(one for visit in proposal.visits for one in (visit.beamline, visit.name))]
        assert all(is_presentable(name, MAX_NAME) for name in names)
        assert all(is_presentable(visit.title, MAX_TITLE) for visit in proposal.visits)
    query = Query()
    view = listing_view("/hub/", Listing(proposals).page(query), query)
    visits = [visit_view("/hub/", one, visit, ()) for one in proposals for visit in one.visits]
    json.dumps([view, visits], ensure_ascii=False).encode()


@ALL
@EVERY_TEXT
async def test_a_text_for_people(case: Case, text: str, secret_file: Callable[[str], str]) -> None:
    service = case.service()
    plant(service, text)
    async with running(service.app()) as url:
        config = Config({case.source.__name__: case.settings_with(secret_file) | {"timeout_s": 20.0}})
        source = case.source(config=config, url=f"{url}{case.path}")
        proposals = await source.proposals_of(ANNA)
    assert proposals
    require_presentable(proposals)


@ALL
async def test_an_id_that_is_hostile_is_left_out_and_the_person_sees_it(
    case: Case, secret_file: Callable[[str], str]
) -> None:
    """Whatever the id is, it is shown in a form that can be shown."""
    service = case.service()
    async with running(service.app()) as url:
        config = Config({case.source.__name__: case.settings_with(secret_file) | {"timeout_s": 20.0}})
        source = case.source(config=config, url=f"{url}{case.path}")
        records = [{"id": text} for text in HOSTILE.values()]
        source.field_map = type(source.field_map)({**dict.fromkeys(source.field_map.paths, ""), "id": "id"})
        assert await source._read(records, ANNA) == ()
    shown = left_out_view(source.left_out_of(ANNA))
    assert shown
    assert all(is_presentable(one["id"], MAX_NAME) and one["reason"].isprintable() for one in shown)


@EVERY_TEXT
async def test_a_text_in_the_file_of_proposals(text: str, tmp_path: Path) -> None:
    """YAML has no halves of characters; everything else may be pasted."""
    document = {
        "proposals": [
            {
                "id": "MA-1",
                "title": (text + "x")[:1000],
                "abstract": text[:20_000],
                "beamlines": [text],
                "members": ["anna"],
                "visits": [{"number": 1, "title": text, "beamline": text}],
            }
        ]
    }
    file = tmp_path / "proposals.yaml"
    file.write_text(yaml.safe_dump(document))
    if encodable(text) != text:
        # the administrator wrote it: the file is refused, naming it
        with pytest.raises(DocumentError, match=r"proposals\.yaml"):
            ProposalFile(file)
        return
    require_presentable(await ProposalFile(file).proposals_of(ANNA))
