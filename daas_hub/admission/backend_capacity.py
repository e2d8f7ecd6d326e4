"""What a backend says it has for this hub's sessions, and the limits that it makes of a configuration. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from daas_hub.admission.limits import NO_LIMITS, Limits

#: The resources that a backend can be asked for, by their names in `Limits`.
RESOURCES = ("sessions", "cpus", "memory_bytes", "gpus")
#: What is kept for the machine itself where the configuration says nothing else.
OF_THE_MACHINE = Limits(memory_bytes=float(2**30))


@dataclass(frozen=True)
class BackendCapacity:
    """The answer of one backend.

    Attributes:
        limits: what this hub's sessions can have together, running ones included; None for what the backend does not
            limit.
        source: where the numbers are from: "the quota of the namespace daas-sessions".
        is_machine: they are of a whole machine, which needs some of it itself.
    """

    limits: Limits
    source: str
    is_machine: bool = False


@dataclass(frozen=True)
class Asked:
    """What the configuration leaves to a backend.

    Attributes:
        resources: some of `RESOURCES`.
        reserve: what sessions cannot have of it; None for the default.
    """

    resources: frozenset[str]
    reserve: Limits | None = None

    def limits(self, configured: Limits, answer: BackendCapacity | None) -> Limits:
        """Return the configured limits with those of an answer; without an answer these are unknown, and not limited.

        Args:
            configured: with None for what is asked for.
        """
        if answer is None:
            return configured
        default = OF_THE_MACHINE if answer.is_machine else NO_LIMITS
        reserve = default if self.reserve is None else self.reserve
        found = {}
        for name in self.resources:
            total = getattr(answer.limits, name)
            if total is not None:
                found[name] = max(0, total - (getattr(reserve, name) or 0))
        return replace(configured, **found)
