"""A notification as a message: addresses, and headers that nothing in it can add to."""

from __future__ import annotations

import email
import email.policy

import pytest

from daas_hub.mail import Notification, compose, is_address

SENDER, ANNA = "daas@facility.org", "anna@example.org"


@pytest.mark.parametrize(
    "address", [ANNA, "a.b+c@x.example.org", "o'neil@example.org", "root@localhost", f"{'a' * 64}@example.org"]
)
def test_plain_addresses(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "", "anna", "@example.org", "anna@", "anna@@example.org", "anna@example.org ", " anna@example.org",
        "anna@example.org\n", "anna@example.org\r\nBcc: all@example.org", "anna@example.org,ben@example.org",
        "Anna <anna@example.org>", '"a b"@example.org', "anna@-example.org", "anna@example..org", ".anna@example.org",
        "an..na@example.org", "anna@example.org\0", "änna@example.org", "anna@exämple.org", f"{'a' * 65}@example.org",
        f"a@{'b.' * 130}org", None, ["anna@example.org"], 7, "anna@[127.0.0.1]",
    ],
)  # fmt: skip
def test_anything_else_is_no_address(address: object) -> None:
    assert not is_address(address)


def test_a_letter_is_plain_text_with_the_usual_headers() -> None:
    message = compose(
        Notification("u1", "PyMca starts now", "It is your turn – go.\nBye"),
        sender=SENDER,
        to=ANNA,
        reply_to="help@facility.org",
        now=0,
    )
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert (read["From"], read["To"], read["Reply-To"]) == (SENDER, ANNA, "help@facility.org")
    assert (read["Subject"], read["Auto-Submitted"]) == ("PyMca starts now", "auto-generated")
    assert read["Date"] == "Thu, 01 Jan 1970 00:00:00 -0000"
    assert read["Message-ID"].endswith("@facility.org>")
    assert read.get_content_type() == "text/plain"
    assert read.get_content().splitlines() == ["It is your turn – go.", "Bye"]


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n", "\u2028", "\x0b", "\x85", "\0"])
@pytest.mark.parametrize("hostile", ["Bcc: all@example.org", "\nContent-Type: text/html\n\n<script>"])
def test_a_title_cannot_add_headers_or_a_body(line_end: str, hostile: str) -> None:
    notification = Notification("u1", f"Glass{line_end}{hostile}", f"Glass{line_end}{hostile}")
    message = compose(notification, sender=SENDER, to=ANNA, now=0)
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert sorted(read.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
         "MIME-Version"]
    )  # fmt: skip
    assert read["Bcc"] is None
    assert read.get_content_type() == "text/plain"


@pytest.mark.parametrize("to", ["", "anna", f"{ANNA}\r\nBcc: all@example.org", f"{ANNA}, ben@example.org"])
def test_nothing_is_written_to_what_is_no_address(to: str) -> None:
    for addresses in ({"sender": SENDER, "to": to}, {"sender": to, "to": ANNA}):
        with pytest.raises(ValueError, match="is not a mail address"):
            compose(Notification("u1", "x", "y"), now=0, **addresses)


def test_long_titles_are_shortened() -> None:
    message = compose(Notification("u1", "x" * 5000, "y" * 50_000), sender=SENDER, to=ANNA, now=0)
    assert len(message["Subject"]) == 200
    assert len(message.get_content()) == 10_001
