"""Every source with every fault: nothing is granted, the user reads a sentence, the log more (D7, PS02).

One table of sources, one of faults (tests/stand_ins/faults.py): a source that is added is tried with all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from traitlets.config import Config

from daas_hub.errors import SourceUnavailable
from tests.proposal_sources import ANNA, CASES, PASSWORD, TOKEN, Case
from tests.stand_ins.faults import FAULTS, SECRET, Fault, make_faulty, patience_s, says
from tests.stand_ins.running import running


@pytest.fixture
def ask(secret_file: Callable[[str], str]) -> Callable[..., Any]:
    """Return a function that asks a source about Anna."""

    async def ask(case: Case, app: web.Application, timeout_s: float = 20.0) -> Any:
        settings = case.settings_with(secret_file) | {"timeout_s": timeout_s, "max_bytes": 100_000}
        async with running(app) as url:
            source = case.source(config=Config({case.source.__name__: settings}), url=f"{url}{case.path}")
            return await source.proposals_of(ANNA)

    return ask


def require_words(error: SourceUnavailable, case: Case) -> None:
    """Check that the user and the administrator can use it, and that nobody else can."""
    assert str(error).startswith(f"{case.source.called} is not available at the moment.")
    assert error.detail.startswith(f"{case.source.source} at http://127.0.0.1:")
    for secret in (SECRET, PASSWORD, TOKEN, "portal-token", "Traceback"):
        assert secret not in str(error) + error.detail
    assert error.__suppress_context__


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_without_a_fault_there_is_an_answer(case: Case, ask: Callable[..., Any]) -> None:
    """Or the rest of this file would prove nothing."""
    assert len(await ask(case, case.stand_in())) >= 1


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_service_that_misbehaves(case: Case, name: str, ask: Callable[..., Any]) -> None:
    fault, words, kind = FAULTS[name]
    app = make_faulty(case.stand_in(), fault, but_not=(case.login,) if case.login else ())
    with pytest.raises(SourceUnavailable) as raised:
        await ask(case, app, patience_s(words))
    require_words(raised.value, case)
    assert words in raised.value.detail
    assert raised.value.kind == kind


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items() if case.login])
async def test_a_login_that_misbehaves(case: Case, name: str, ask: Callable[..., Any]) -> None:
    fault, words, kind = FAULTS[name]
    with pytest.raises(SourceUnavailable) as raised:
        await ask(case, make_faulty(case.stand_in(), fault), patience_s(words))
    require_words(raised.value, case)
    assert words in raised.value.detail
    assert raised.value.kind == kind


@pytest.mark.parametrize(
    ("case", "document"),
    [pytest.param(case, text, id=f"{name} {text}") for name, case in CASES.items() for text in case.wrong],
)
async def test_a_document_of_another_shape(case: Case, document: str, ask: Callable[..., Any]) -> None:
    """An answer that is not understood is not an empty one: nobody is told that they have no proposals."""
    app = make_faulty(case.stand_in(), says(document), but_not=(case.login,) if case.login else ())
    with pytest.raises(SourceUnavailable) as raised:
        await ask(case, app)
    require_words(raised.value, case)


def tokens(answer: Any) -> Fault:
    return says(json.dumps(answer))


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items() if case.login])
@pytest.mark.parametrize(
    "answer", [{}, {"sessionId": None, "token": 7, "access_token": ""}, {"token": "a\r\nX: y", "access_token": "a\nb"}]
)
async def test_a_login_without_what_it_is_for(case: Case, answer: Any, ask: Callable[..., Any]) -> None:
    """C5: and a token that would be two lines of a header."""
    with pytest.raises(SourceUnavailable) as raised:
        await ask(case, make_faulty(case.stand_in(), tokens(answer)))
    require_words(raised.value, case)
    assert "without a" in raised.value.detail
