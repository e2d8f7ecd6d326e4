"""What the sources write into the log while they are asked: there the administrator's words are."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = "jupyterhub.daas"


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


@contextmanager
def listening() -> Iterator[list[str]]:
    """Keep what is written at the level of warnings until the end of the block, and let nothing of it be printed."""
    logger = logging.getLogger(_LOGGER)
    kept = _Kept()
    propagates = logger.propagate
    logger.addHandler(kept)
    logger.propagate = False
    try:
        yield kept.words
    finally:
        logger.removeHandler(kept)
        logger.propagate = propagates
