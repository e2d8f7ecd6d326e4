"""The life of a session as the hub knows it: its limits, the use that it reports, its extensions, and its end.

The hub decides with `daas_hub.lifetime`, and so does the session itself, for the time while the hub is away. Only
what the session reports counts as use: the proxy takes an open page for activity, or reports none at all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from traitlets import HasTraits

from daas_hub.errors import Refused
from daas_hub.launch import Plan
from daas_hub.lifetime import (
    UNLIMITED,
    Limits,
    Outlook,
    Reason,
    Use,
    Verdict,
    decide,
    end_words,
    extended,
    warning_words,
)


@dataclass(frozen=True)
class Lifetime:
    """What the hub keeps of one start of a session.

    Attributes:
        started: seconds since the epoch.
        extensions: how often its time limit was extended.
        kept: when its owner last said on its card that it is not idle.
        use: what it reported last; not stored, it reports again to a restarted hub.
    """

    limits: Limits = UNLIMITED
    started: float = 0.0
    extensions: int = 0
    kept: float = 0.0
    use: Use | None = None

    def as_state(self) -> dict[str, Any]:
        """Return what survives a restart of the hub."""
        return {
            "limits": self.limits.as_document(),
            "started": self.started,
            "extensions": self.extensions,
            "kept": self.kept,
        }

    @classmethod
    def from_state(cls, state: object) -> Lifetime:
        """Restore what `as_state` returned; a session of an older release has its time limit only."""
        if not isinstance(state, Mapping):
            return cls()
        try:
            return cls(
                Limits.from_document(state.get("limits")),
                float(state.get("started", 0.0)),
                int(state.get("extensions", 0)),
                float(state.get("kept", 0.0)),
            )
        except (TypeError, ValueError):
            return cls()


class SessionLifetimeMixin(HasTraits):
    """A session that ends at its time limit, or after being idle."""

    #: Its time limit, in seconds since the epoch; 0 before it started.
    ends = 0.0
    lifetime = Lifetime()

    ending: str
    orm_spawner: Any
    db: Any
    log: Any
    _log_name: str

    def begin_lifetime(self, plan: Plan) -> None:
        """Count from now."""
        now = time.time()
        self.ends = now + plan.limits.longest_s
        self.lifetime = Lifetime(plan.limits, started=now)

    def forget_lifetime(self) -> None:
        """Forget it: the session has ended."""
        self.ends = 0.0
        self.lifetime = Lifetime()

    # -- the decision ---------------------------------------------------------------------------------------------

    def outlook(self) -> Outlook:
        """Return when and why the session will end, as far as that is known (by wall clock: suspend counts)."""
        return decide(time.time(), ends=self.ends, limits=self.lifetime.limits, use=self._known_use())

    def _known_use(self) -> Use | None:
        use, kept = self.lifetime.use, self.lifetime.kept
        return use and replace(use, last=max(use.last, kept))

    def is_over(self) -> bool:
        """Return whether the session has reached its time limit, or has been idle for too long."""
        return self.outlook().verdict is Verdict.END

    def note_end(self) -> None:
        """Keep why the session is ended now, for its card and for the log; call it before the stop."""
        outlook = self.outlook()
        if outlook.verdict is Verdict.END:
            self.ending = end_words(outlook.reason, self.lifetime.limits)
            self.log.info("%s: %s", self._log_name, self.ending)

    def own_end_words(self, reason: str) -> str:
        """Return why a session ended itself while the hub was away; "" if it did not.

        Args:
            reason: what it printed at its end, a value of `Reason`; "" if nothing.
        """
        if reason in list(Reason):
            return end_words(Reason(reason), self.lifetime.limits)
        return end_words(Reason.TIME_LIMIT, self.lifetime.limits) if 0 < self.ends <= time.time() else ""

    # -- what the session reports ---------------------------------------------------------------------------------

    def note_use(self, unused_s: float, quiet_s: float) -> None:
        """Take a report: the seconds since the last use by its owner, and since its processors were in use."""
        now = time.time()
        self.lifetime = replace(self.lifetime, use=Use(now - unused_s, now - quiet_s, now))

    def lifetime_answer(self) -> dict[str, Any]:
        """Return what a session learns from its report: it ends itself by that while the hub is away."""
        now = time.time()
        return {
            "remaining_s": self.ends - now if self.ends else None,
            "kept_s": now - self.lifetime.kept if self.lifetime.kept else None,
            "can_extend": self.can_extend,
        }

    def lifetime_state(self) -> dict[str, Any]:
        """Return what of it survives a restart of the hub; nothing before it started."""
        return {"ends": self.ends, "lifetime": self.lifetime.as_state()} if self.ends else {}

    def load_lifetime(self, state: Mapping[str, Any]) -> None:
        """Restore what `lifetime_state` returned."""
        self.ends = float(state.get("ends", 0.0))
        self.lifetime = Lifetime.from_state(state.get("lifetime"))

    # -- what its owner asks for ----------------------------------------------------------------------------------

    @property
    def can_extend(self) -> bool:
        """Whether the time limit can be extended now."""
        return self._extended() is not None

    def _extended(self) -> float | None:
        later = self._by_its_limits()
        try:
            if later is not None:
                self.require_extension(later)
        except Refused:
            return None
        return later

    def _by_its_limits(self) -> float | None:
        if self.is_over():
            return None
        one = self.lifetime
        return extended(
            time.time(), started=one.started, ends=self.ends, extensions=one.extensions, limits=one.limits
        )  # fmt: skip

    def require_extension(self, until: float) -> None:
        """Check whether quotas and reservations allow that it lasts until then, in seconds since the epoch.

        Raises:
            Refused: they do not; with the numbers.
        """

    @property
    def extension_refusal(self) -> str:
        """Why the time limit cannot be extended, worded for its owner; "" if it can, or had all of its extensions."""
        later = self._by_its_limits()
        try:
            if later is not None:
                self.require_extension(later)
        except Refused as refusal:
            return str(refusal)
        return ""

    def extend(self) -> bool:
        """Extend the time limit once; return whether it was possible. It is stored when this returns."""
        later = self._extended()
        if later is None:
            return False
        self.ends = later
        self.lifetime = replace(self.lifetime, extensions=self.lifetime.extensions + 1)
        self._store_lifetime()
        self.log.info("%s: extended, %d of %d", self._log_name, self.lifetime.extensions, self._max_extensions)
        return True

    @property
    def _max_extensions(self) -> int:
        return self.lifetime.limits.max_extensions

    def keep(self) -> None:
        """Take it as used now: its owner says so on its card."""
        self.lifetime = replace(self.lifetime, kept=time.time())
        self._store_lifetime()

    def _store_lifetime(self) -> None:
        self.orm_spawner.state = self.get_state()  # type: ignore[attr-defined]  # the Spawner's
        self.db.commit()

    # -- what its card says ---------------------------------------------------------------------------------------

    @property
    def end_notice(self) -> str:
        """The announcement of its end, while it is near; "" otherwise."""
        outlook = self.outlook()
        if outlook.verdict is Verdict.KEEP:
            return ""
        return warning_words(time.time(), outlook, self.lifetime.limits)

    @property
    def can_keep(self) -> bool:
        """Whether its owner is asked if it is still used."""
        outlook = self.outlook()
        return outlook.verdict is Verdict.WARN and outlook.reason is Reason.IDLE
