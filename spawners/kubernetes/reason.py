"""One reason why a session of a cluster waits, ended, or was refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from daas_hub.errors import NoCapacity, SessionFailed
from daas_hub.spawners.kubernetes.reason_tables import TELL, ReasonKind, Rule

#: Letters that are kept of what Kubernetes said.
MAX_RAW = 2000


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes:
        sentence, remedy: for the owner.
        raw: what Kubernetes said, for administrators.
        is_final: waiting does not help: the start fails, or the session is over.
        at: when it happened, in seconds since the epoch; 0 if that is not known.
        lacks_room: the same session may start once others have ended.
    """

    kind: ReasonKind
    sentence: str
    remedy: str = ""
    raw: str = ""
    is_final: bool = False
    at: float = 0.0
    lacks_room: bool = False

    def as_error(self) -> SessionFailed:
        """Return it as the failure of a start; the log has what Kubernetes said."""
        return (NoCapacity if self.lacks_room else SessionFailed)(self.sentence, remedy=self.remedy, detail=self.raw)


def reason_from(rule: Rule | None, raw: str, at: float = 0.0, *, is_final: bool = False) -> Reason:
    """Return the reason of a rule; a neutral one without a rule."""
    if rule is None:
        sentence = "The cluster reports a problem with this session."
        return Reason(ReasonKind.UNKNOWN, sentence, TELL, raw[:MAX_RAW], is_final, at)
    lacks_room = rule.kind is ReasonKind.UNSCHEDULABLE
    return Reason(rule.kind, rule.sentence, rule.remedy, raw[:MAX_RAW], rule.is_final or is_final, at, lacks_room)
