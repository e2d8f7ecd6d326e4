"""The SMTP server, a real one: encryption that is verified, a login, and what fails."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.mail import MailError, MailServer, Notification, compose
from daas_hub.mail.smtp import Security
from tests.live_portal import free_ports
from tests.stand_ins.certificates import certificate
from tests.stand_ins.mail_server import PASSWORD, USER, MailRoom, mail_server

MESSAGE = compose(
    Notification("u1", "Glass", "It is your turn."), sender="daas@facility.org", to="anna@example.org", now=0
)


def server_for(room: MailRoom, **settings: Any) -> MailServer:
    return MailServer("127.0.0.1", room.port, **({"security": Security.NONE, "timeout_s": 5} | settings))


def failure(server: MailServer) -> MailError:
    with pytest.raises(MailError) as raised:
        server.send(MESSAGE)
    return raised.value


def secret(folder: Path, text: str = PASSWORD) -> str:
    file = folder / "password"
    file.touch(0o600)
    file.write_text(text)
    return str(file)


def test_a_letter_arrives() -> None:
    with mail_server() as room:
        server_for(room).send(MESSAGE)
        ((sender, recipients, message),) = room.messages
    assert (sender, recipients, message["Subject"]) == ("daas@facility.org", ["anna@example.org"], "Glass")


# the server's library does not count the encryption of its socket as such
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_encrypted_and_signed_in(tmp_path: Path, security: Security) -> None:
    context, authority = certificate(tmp_path, "127.0.0.1")
    kind = {"starttls" if security is Security.STARTTLS else "tls": context}
    trust = ssl.create_default_context(cafile=authority)
    with mail_server(**kind, needs_login=True) as room:  # type: ignore[arg-type]
        given = {"security": security, "tls": trust, "user": USER, "password_file": secret(tmp_path)}
        server_for(room, **given).send(MESSAGE)
        assert (len(room.messages), room.logins) == (1, 1)
        # an authority that this machine does not know, and a certificate for another host
        for wrong in ({"tls": None}, {"tls": trust, "host": "localhost"}):
            server = MailServer(**({"host": "127.0.0.1", "port": room.port} | given | wrong))
            assert failure(server).kind is ErrorKind.TLS_CERTIFICATE
        wrong_password = server_for(room, **given | {"password_file": secret(tmp_path, "guess")})
        refused = failure(wrong_password)
        assert refused.kind is ErrorKind.CREDENTIALS_REFUSED
        assert "guess" not in str(refused)
        assert len(room.messages) == 1


def test_nothing_is_sent_without_the_encryption_that_is_configured() -> None:
    with mail_server() as room:
        assert failure(server_for(room, security=Security.STARTTLS)).kind is ErrorKind.NO_STARTTLS
        assert failure(server_for(room, security=Security.TLS)).kind in {ErrorKind.NO_CONNECTION, ErrorKind.TIMEOUT}
        assert room.messages == []


@pytest.mark.parametrize(("answer", "is_temporary"), [("550 no such user", False), ("450 try later", True)])
def test_a_recipient_that_is_refused(answer: str, is_temporary: bool) -> None:
    with mail_server() as room:
        room.refusals["anna@example.org"] = answer
        refused = failure(server_for(room))
    assert (refused.kind, refused.is_temporary) == (ErrorKind.REQUEST_REJECTED, is_temporary)
    assert "anna" not in str(refused)


def test_a_server_that_is_not_there() -> None:
    assert failure(MailServer("127.0.0.1", free_ports(1), Security.NONE)).kind is ErrorKind.NO_CONNECTION
    assert failure(MailServer("mail.invalid", 25, Security.NONE)).kind is ErrorKind.DNS


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = MailServer("127.0.0.1", silent.getsockname()[1], Security.NONE, timeout_s=0.3)
        assert failure(server).kind is ErrorKind.TIMEOUT


def test_a_password_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    file = Path(secret(tmp_path))
    file.chmod(0o644)
    with mail_server() as room, pytest.raises(ConfigurationError, match="can be read by others"):
        server_for(room, user=USER, password_file=str(file)).send(MESSAGE)
