"""What log lines keep of addresses: everything but the values of secret parameters."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest

from daas_hub import log_redaction
from daas_hub.log_redaction import REDACTED, RedactedRecord, redact, redact_header, redact_value

FULL = "GET /hub/oauth_callback?code=[secret]&state=[secret]&iss=https%3A%2F%2Flogin (10.0.0.1)"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("GET /hub/oauth_callback?code=ab-c~1&state=x.y%3D%3D&iss=https%3A%2F%2Flogin (10.0.0.1)", FULL),
        ("/hub/login?next=%2Fhub%2Fcb%3Fcode%3Dabc%26state%3Ddef%26page%3D2",
         "/hub/login?next=%2Fhub%2Fcb%3Fcode%3D[secret]%26state%3D[secret]%26page%3D2"),
        ("/l?next=%252Fcb%253Fstate%253Dabc%2526page%253D2", "/l?next=%252Fcb%253Fstate%253D[secret]%2526page%253D2"),
        ('"Referer": "http://h/x?_xsrf=abc"', '"Referer": "http://h/x?_xsrf=[secret]"'),
        ("HTTPServerRequest(uri='/x?Token=abc', version=1)", "HTTPServerRequest(uri='/x?Token=[secret]', version=1)"),
        ("/x#access_token=abc", "/x#access_token=[secret]"),
        ("/x?session_state=a&id_token=b;sid=c", "/x?session_state=[secret]&id_token=[secret];sid=[secret]"),
        ("/x?code=[secret]&a=1", "/x?code=[secret]&a=1"),
        ("/hub/home?search=code&sort=state", "/hub/home?search=code&sort=state"),
        ("status code=5 of 10", "status code=5 of 10"),
        ("/hub/daas/open?visit=mx1-2&barcode=7", "/hub/daas/open?visit=mx1-2&barcode=7"),
    ],
)  # fmt: skip
def test_only_secret_values_go(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize("form", ["%(message)s", "%(levelname)s %(message)s"])
def test_messages_arguments_and_tracebacks(form: str) -> None:
    try:
        raise ValueError("/x?code=hidden")
    except ValueError as error:
        problem = (ValueError, error, error.__traceback__)
    record = RedactedRecord("hub", logging.ERROR, __file__, 1, "%s: ?state=hidden", ("?token=hidden",), problem)
    line = logging.Formatter(form).format(record)
    assert "hidden" not in line
    assert "Traceback" in line


SECRET = "c0ffee" * 8


@pytest.fixture
def proof(monkeypatch: pytest.MonkeyPatch) -> str:
    """A header that is redacted."""
    monkeypatch.setattr(log_redaction, "_registered", log_redaction._Registered())
    redact_header("X-Site-Proof")
    return "X-Site-Proof"


HEADERS = {"Host": "h", "X-Site-Proof": SECRET, "X-Site-Proof-Of": "kept", "Accept": "*/*"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps(HEADERS, indent=2), id="as JupyterHub logs a request after an error"),
        pytest.param(json.dumps(HEADERS), id="on one line"),
        pytest.param(json.dumps(json.dumps(HEADERS)), id="as text in JSON"),
        pytest.param(repr(HEADERS), id="a dict"),
        pytest.param(repr([*HEADERS.items()]), id="pairs"),
        pytest.param(repr([(name.encode(), value.encode()) for name, value in HEADERS.items()]), id="pairs of bytes"),
        pytest.param("\r\n".join(f"{name}: {value}" for name, value in HEADERS.items()), id="as they were sent"),
        pytest.param(repr("\r\n".join(f"{name}: {value}" for name, value in HEADERS.items())), id="the same, quoted"),
        pytest.param(json.dumps({name.lower(): value for name, value in HEADERS.items()}), id="in small letters"),
        pytest.param(f"HTTP_X_SITE_PROOF={SECRET}\nX_SITE_PROOF_OF=kept", id="an environment"),
    ],
)
def test_a_header_of_the_web_server_in_front(proof: str, text: str) -> None:
    redacted = redact(text)
    assert SECRET not in redacted
    assert REDACTED in redacted
    assert "kept" in redacted


@pytest.mark.parametrize("write", [json.dumps, repr], ids=["json", "dict"])
def test_quotes_in_the_value(proof: str, write: Callable[[object], str]) -> None:
    assert SECRET not in redact(write({proof: f"a\"b'c\\{SECRET}", "Accept": "*/*"}))


def test_a_secret_wherever_it_is(proof: str) -> None:
    redact_value(SECRET)
    assert redact(f"curl: (6) could not resolve {SECRET}.example") == f"curl: (6) could not resolve {REDACTED}.example"
    for number in range(20):
        redact_value(f"another-{number}")
    assert len(log_redaction._registered.values) < 20, "bounded"


def test_no_empty_value_is_replaced(proof: str) -> None:
    redact_value("")
    assert redact("plain") == "plain"


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL])
def test_at_every_level_with_traceback_and_stack(proof: str, level: int) -> None:
    try:
        raise ValueError(repr(HEADERS))
    except ValueError as error:
        problem = (ValueError, error, error.__traceback__)
    record = RedactedRecord("hub", level, __file__, 1, "%s", (HEADERS,), problem, sinfo=f"Stack: {HEADERS}")
    line = logging.Formatter("%(message)s").format(record)
    assert SECRET not in line
    assert line.count(REDACTED) == 3
