"""When the API server of a place was last heard of, and what keeps the hub from watching its pods."""

from __future__ import annotations

import logging
import time

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.kubernetes.answers import ROLES_S, APIRefusal, ClusterUnreachable

#: Age of the last contact from which a card says so.
OLD_S = 30.0

_log = logging.getLogger("jupyterhub.daas")


class Contact:
    """The contact of one place's watch with its API server.

    Attributes:
        at: when the pods were last read, in seconds since the epoch.
        problem: why they are not watched, for administrators; "" if they are.
        missing_right_to_end: the right that the last deletion lacked, as "delete pods"; "" for none.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._heard = time.monotonic()
        self.at = time.time()
        self.problem = ""
        self.missing_right_to_end = ""
        self._missing_right = ""

    @property
    def age_s(self) -> float:
        """Seconds since the pods were last read."""
        return time.monotonic() - self._heard

    @property
    def is_old(self) -> bool:
        """Whether what is known is too old to be shown without saying so."""
        return self.age_s > OLD_S

    @property
    def missing_right(self) -> str:
        """The right without which the pods cannot be read, as "list pods"; "" for none.

        An API server that was just started refuses everything for some seconds.
        """
        return self._missing_right if self.age_s > ROLES_S else ""

    def note_answer(self) -> None:
        """Note that the pods were read."""
        self._heard, self.at = time.monotonic(), time.time()

    def note_watched(self) -> None:
        """Note that the pods are watched."""
        self.note_answer()
        self._missing_right = ""
        if self.problem:
            _log.warning("pods of %s are watched again", self._namespace)
            self.problem = ""

    def note_problem(self, problem: APIRefusal | ClusterUnreachable | ConfigurationError) -> None:
        """Note why they cannot be read or watched; the log has it once."""
        words = _words_of(problem)
        self._missing_right = problem.missing_right if isinstance(problem, APIRefusal) else ""
        if words != self.problem:
            _log.error("pods of %s cannot be watched: %s", self._namespace, words)
        self.problem = words


def _words_of(problem: APIRefusal | ClusterUnreachable | ConfigurationError) -> str:
    if isinstance(problem, APIRefusal):
        return str(problem)
    return problem.why if isinstance(problem, ClusterUnreachable) else problem.message
