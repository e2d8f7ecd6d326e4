"""What a person's classes leave them of the catalogue: pages offer it, and admission refuses the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    """The names of the applications and sizes that somebody may use; None for all of the catalogue."""

    applications: frozenset[str] | None = None
    sizes: frozenset[str] | None = None

    @classmethod
    def of_classes(cls, applications: Sequence[frozenset[str]], sizes: Sequence[frozenset[str]]) -> Offer:
        """Return what a person with several classes may use.

        A class that names none has all, and one class that allows something is enough.

        Args:
            applications, sizes: those that each class of the person names; empty without a class.
        """
        return cls(_allowed_by(applications), _allowed_by(sizes))

    def has_application(self, name: str) -> bool:
        """Return whether this application is among them."""
        return self.applications is None or name in self.applications

    def has_size(self, name: str) -> bool:
        """Return whether this size is among them."""
        return self.sizes is None or name in self.sizes


#: What everybody may use who is in no class.
EVERYTHING = Offer()


def _allowed_by(classes: Iterable[frozenset[str]]) -> frozenset[str] | None:
    given = list(classes)
    return frozenset().union(*given) if given and all(given) else None
