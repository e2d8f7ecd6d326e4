"""Rights that end: rechecks that are frozen because their source is probably wrong, and ends that are not confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from daas_hub.metrics.collector import ComputedGauge

_is_frozen: dict[str, Callable[[], bool]] = {}
_unconfirmed: dict[str, Callable[[], Iterable[str]]] = {}


def publish_frozen(check: str, is_frozen: Callable[[], bool]) -> None:
    """Publish from now on whether a recheck is frozen.

    Args:
        check: what is checked: accounts, proposals.
    """
    _is_frozen[check] = is_frozen


def publish_unconfirmed(by: str, names: Callable[[], Iterable[str]]) -> None:
    """Count from now on sessions that were to end and may still run.

    Args:
        by: who knows of them. A session that several know of counts once.
        names: returns them, each as "user:session"; they are counted and not published.
    """
    _unconfirmed[by] = names


def frozen_checks() -> list[str]:
    """Return the rechecks that are frozen at this moment."""
    return [check for check, is_frozen in _is_frozen.items() if is_frozen()]


def unconfirmed_ends() -> int:
    """Return how many sessions were to end and may still run at this moment."""
    return len({name for names in _unconfirmed.values() for name in names()})


FROZEN = ComputedGauge(
    "daas_recheck_frozen",
    "1 while a recheck (accounts, proposals) ends no session, because its source is probably wrong.",
    ["check"],
    lambda: {(check,): float(is_frozen()) for check, is_frozen in _is_frozen.items()},
)
UNCONFIRMED = ComputedGauge(
    "daas_unconfirmed_ends",
    "Sessions that were to end and may still run: their end is not confirmed.",
    [],
    lambda: {(): float(unconfirmed_ends())},
)
