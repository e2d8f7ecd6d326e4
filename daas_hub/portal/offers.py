"""What pages offer a person: no application and no size that a launch of theirs would be refused for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from daas_hub.accounts import Account
from daas_hub.admission.hub import Admission
from daas_hub.admission.offer import EVERYTHING, Offer
from daas_hub.catalogue import Application, Catalogue, Size
from daas_hub.launch import Place, groups_for_quotas
from daas_hub.portal.places import sizes_in


def offer_for(person: Account) -> Offer:
    """Return what the classes of a person leave them; `person` has the roles of this login only."""
    admission = Admission.current()
    if admission is None:
        return EVERYTHING
    return admission.gate.rules.offer_for(groups_for_quotas(person.roles, person.memberships))


@dataclass(frozen=True)
class PersonalCatalogue:
    """The catalogue as one person may use it.

    Attributes:
        person: the account, with the roles of this login.
        offer: what their classes leave them.
    """

    catalogue: Catalogue
    places: Sequence[Place]
    person: Account
    offer: Offer = EVERYTHING

    def sizes_of(self, application: Application) -> tuple[list[Size], str]:
        """Return the sizes of an application for this person, and the default (see `sizes_in`)."""
        return sizes_in(self.places, self.person, self.catalogue, application, self.offer)

    def larger_size(self, application: Application, memory_bytes: int) -> Size | None:
        """Return the next size of an application for this person with more memory than this; None for none."""
        larger = [one for one in self.sizes_of(application)[0] if one.memory_bytes > memory_bytes]
        return min(larger, key=lambda one: one.memory_bytes, default=None)

    def has(self, application: Application) -> bool:
        """Return whether this person may use an application in one of its sizes at least."""
        return self.offer.has_application(application.name) and (
            self.offer.sizes is None or bool(self.sizes_of(application)[0])
        )

    def has_size(self, name: str) -> bool:
        """Return whether this person's classes have a size."""
        return self.offer.has_size(name)

    def must_name_size(self, application: Application) -> bool:
        """Return whether a launch has to name its size, because the usual one may not be theirs."""
        everything = sizes_in(self.places, self.person, self.catalogue, application)
        return self.sizes_of(application) != everything

    def only(self, applications: Iterable[Application]) -> tuple[Application, ...]:
        """Return those that this person may use."""
        return tuple(one for one in applications if self.has(one))

    def problem_with(self, fields: Mapping[str, str], offered: Collection[Application]) -> str:
        """Return why a link or a form cannot be launched by this person's classes, as a sentence; "" if it can.

        Args:
            fields: with the names of an application and a size; "" for none.
            offered: what the proposal has, for everybody.
        """
        application = next((one for one in offered if one.name == fields.get("application")), None)
        if application is not None and not self.has(application):
            return f"{application.title} is not available to you. {_available(self.only(offered), 'application')}"
        size = self.catalogue.sizes.get(fields.get("size") or "")
        if size is not None and not self.has_size(size.name):
            sizes = [one for one in self.catalogue.sizes.values() if self.has_size(one.name)]
            if application is not None:
                sizes = self.sizes_of(application)[0]
            return f"The size {size.title} is not available to you. {_available(sizes, 'size')}"
        return ""


def _available(found: Sequence[Application | Size], what: str) -> str:
    if not found:
        return f"No other {what} is, either: please ask the user office."
    return f"Available: {', '.join(one.title for one in found)}."
