"""What log lines keep of addresses: everything but the values of secret parameters."""

from __future__ import annotations

import logging

import pytest

from daas_hub.log_redaction import RedactedRecord, redact

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
