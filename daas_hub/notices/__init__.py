"""Notices of the operators: a banner, a text that each person acknowledges once, and a maintenance."""

from daas_hub.notices.board import NoticeBoard
from daas_hub.notices.model import InMaintenance, Kind, Level, Notice
from daas_hub.notices.request import read_notice
from daas_hub.notices.words import mail_text, notice_view, session_notices, signature

__all__ = [
    "InMaintenance",
    "Kind",
    "Level",
    "Notice",
    "NoticeBoard",
    "mail_text",
    "notice_view",
    "read_notice",
    "session_notices",
    "signature",
]
