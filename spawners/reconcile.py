"""Compares what the hub knows, what its backend runs, the routes and the folders: at start, and every minute.

What the hub knows is left alone. The rest of an interrupted start, and a session that was stopped while its backend did
not answer, are ended at once. A session that ran and that the hub does not know (a lost or restored database) is
reported, and ended when an administrator says so, or after `orphan_grace_s`. A backend that does not answer means that
nothing is known: nothing is ended and nothing is forgotten.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from daas_hub.errors import DaasError
from daas_hub.findings import Finding, not_checked, ok, warning
from daas_hub.metrics.reconciliation import publish_round
from daas_hub.spawners.runtime_dir import session_key
from daas_hub.spawners.session_records import RunningSession, SessionRecord, SessionRecords

REPORT = "reconciliation.json"
_SESSION_FOLDER = re.compile(r"[0-9a-f]{20}")

_log = logging.getLogger("jupyterhub.daas")


@dataclass
class Outcome:
    """The result of one round, for the log and the doctor.

    Attributes:
        at: seconds since the epoch.
        running: sessions the backend has.
        ended: what was ended or removed, each with its reason.
        waiting: what runs unknown to the hub, and is ended later.
        unknown: why nothing could be compared; "" if it could.
    """

    at: float
    interval_s: float
    running: int = 0
    ended: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    unknown: str = ""


def reason_to_end(
    record: SessionRecord | None, unknown_for_s: float, grace_s: float | None, *, is_unfinished: bool = False
) -> str:
    """Return why a session that the hub does not know is ended now; "" to wait.

    Args:
        grace_s: None waits for an administrator.
        is_unfinished: see `RunningSession`; its record may have been removed before its backend showed it.
    """
    if record is not None and record.stop_wanted:
        return "it was stopped while its backend did not answer"
    if is_unfinished or (record is not None and not record.is_ready):
        return "its start was interrupted"
    if grace_s is not None and unknown_for_s >= grace_s:
        return f"the hub has not known it for {unknown_for_s:.0f} s"
    return ""


@dataclass(frozen=True)
class UnknownSession:
    """A session that runs, and that the hub does not know.

    Attributes:
        record: what was written when it was started; None if that was lost, too.
        since: `time.monotonic()` when it was first found.
    """

    running: RunningSession
    record: SessionRecord | None
    since: float


class Reconciler:
    """Reconciles one hub with its backend.

    Args:
        hub: the JupyterHub application, whose sessions may also be on other backends (see `daas_hub.spawners.places`).
        settings: a spawner without a user, for the backend's settings and methods.
    """

    def __init__(self, hub: Any, settings: Any) -> None:
        self._hub = hub
        self._settings = settings
        self._place = getattr(settings, "place", "")
        self._runtime_dir = Path(settings.runtime_dir)
        self._records = SessionRecords.of(self._runtime_dir)
        #: What runs unknown to the hub, by its name on the backend.
        self.unknown: dict[str, UnknownSession] = {}
        self._last_words: list[str] = []

    async def run(self) -> None:
        """Reconcile until the hub ends."""
        while not getattr(self._hub, "http_server", None):  # noqa: ASYNC110  # the hub has no event for its start
            await asyncio.sleep(0.2)
        while True:
            try:
                outcome = await self.round()
                publish_round(
                    self._place,
                    at=outcome.at,
                    is_compared=not outcome.unknown,
                    ended=len(outcome.ended),
                    waiting=len(outcome.waiting),
                )
                await asyncio.to_thread(self._report, outcome)
            except Exception:
                # whatever it is: the next round must come
                _log.exception("sessions could not be compared with what runs")
            await asyncio.sleep(self._settings.reconcile_interval_s)

    async def round(self) -> Outcome:
        """Compare once, and act."""
        outcome = Outcome(time.time(), self._settings.reconcile_interval_s)
        folders = await asyncio.to_thread(self._folders)
        try:
            found = await self._settings.list_running()
        except (DaasError, OSError) as problem:
            outcome.unknown = getattr(problem, "message", "") or type(problem).__name__
            return outcome
        outcome.running = len(found)
        # after the listing: what was listed had its row in the database before it was started
        known = self._known()
        await self._note_stored(known)
        await self._finish_stops(known, outcome)
        names = {self._settings.name_on_backend(*who) for who in known}
        await self._end_unknown([one for one in found if one.name not in names], outcome)
        await self._forget_ended(known, found, folders)
        await self._check_routes()
        return outcome

    # -- what the hub knows ------------------------------------------------------------------------------------------

    def _known(self) -> dict[tuple[str, str], Any]:
        """Return the sessions that are starting, running or stopping, as spawners by user and name."""
        from jupyterhub import orm

        rows = self._hub.db.query(orm.Spawner).filter(orm.Spawner.server != None)  # noqa: E711  # SQL
        pairs = [(row.user, row.name) for row in rows]
        known = {(user.name, name): self._hub.users[user].spawners[name] for user, name in pairs}
        for user in list(self._hub.users.values()):
            for name, spawner in list(user.spawners.items()):
                if spawner.pending or spawner.active:
                    known[user.name, name] = spawner
        # those of other places are reconciled there; one of a place that was renamed may be here
        return {
            who: one
            for who, one in known.items()
            if getattr(one, "place", "") == self._place or getattr(one, "is_unknown", False)
        }

    def _folders(self) -> set[str]:
        """Return the keys of the sessions that have a folder."""
        place = self._runtime_dir / "sessions"
        return {one.name for one in place.iterdir() if _SESSION_FOLDER.fullmatch(one.name)} if place.is_dir() else set()

    # -- what is done ------------------------------------------------------------------------------------------------

    async def _note_stored(self, known: Mapping[tuple[str, str], Any]) -> None:
        """Record which completed starts the database has: after a restore, it may not have them any more."""
        for who, spawner in known.items():
            key = session_key(*who)
            record = self._records.get(key)
            stored = (spawner.orm_spawner.state or {}).get("start")
            if record is None or record.is_stored or not spawner.ready or stored != record.start:
                continue
            try:
                await self._records.mark_stored(key)
            except OSError as problem:
                _log.error("%s:%s: its record could not be updated: %s", *who, problem)

    async def _finish_stops(self, known: Mapping[tuple[str, str], Any], outcome: Outcome) -> None:
        """Stop what the hub still knows and was asked to stop, as before a restart in the middle of a stop."""
        for (user, server), spawner in known.items():
            record = self._records.get(session_key(user, server))
            if record is None or not record.stop_wanted or spawner.pending or getattr(spawner, "is_unknown", False):
                continue
            outcome.ended.append(f"{user}:{server}: its stop was interrupted")
            try:
                await self._hub.proxy.delete_user(spawner.user, server)
                await spawner.user.stop(server)
            except Exception as problem:
                _log.error("%s:%s was not stopped: %s", user, server, problem)

    async def _end_unknown(self, found: list[RunningSession], outcome: Outcome) -> None:
        """End what the hub does not know, at once or after the grace."""
        now = time.monotonic()
        records = {
            self._settings.name_on_backend(record.user, record.server): record
            for record in self._records.all().values()
        }
        earlier = self.unknown
        self.unknown = {
            one.name: UnknownSession(
                one, records.get(one.name), earlier[one.name].since if one.name in earlier else now
            )
            for one in found
        }
        for name, unknown in list(self.unknown.items()):
            record, waited_s = unknown.record, now - unknown.since
            who = f"{record.user}:{record.server} ({name})" if record else name
            grace_s, is_unfinished = self._settings.orphan_grace_s, unknown.running.is_unfinished
            why = reason_to_end(record, waited_s, grace_s, is_unfinished=is_unfinished)
            if not why:
                outcome.waiting.append(f"{who}: runs, and the hub does not know it")
                continue
            outcome.ended.append(f"{who}: {why}")
            if not await self._end(unknown):
                outcome.waiting.append(f"{who}: could not be ended")

    async def end_unknown(self, name: str) -> bool:
        """End a session that the hub does not know, because an administrator says so; return whether it is ended."""
        if (unknown := self.unknown.get(name)) is None:
            return False
        _log.warning("ended a session: %s: an administrator ended it", name)
        return await self._end(unknown)

    async def _end(self, unknown: UnknownSession) -> bool:
        """End one session and forget it; return whether it could be done."""
        name, record = unknown.running.name, unknown.record
        try:
            await self._settings.end_running(unknown.running)
        except Exception as problem:
            _log.error("session %s could not be ended: %s", name, problem)
            return False
        self.unknown.pop(name, None)
        if record is not None:
            await self._forget(session_key(record.user, record.server), record)
        return True

    async def _forget_ended(
        self, known: Mapping[tuple[str, str], Any], found: list[RunningSession], folders: set[str]
    ) -> None:
        """Remove records and folders of sessions that neither run nor are known."""
        kept = {session_key(*who) for who in known} | {one.name for one in found}
        running = {one.name for one in found}
        for key, record in self._records.all().items():
            if key not in kept and self._settings.name_on_backend(record.user, record.server) not in running:
                # a start that began after the listing is known by now
                if (record.user, record.server) in self._known():
                    continue
                await self._forget(key, record)
        kept |= set(self._records.all())
        kept |= {session_key(*who) for who in self._known()}
        if not self.unknown:
            for key in folders - kept:
                await asyncio.to_thread(shutil.rmtree, self._runtime_dir / "sessions" / key, True)

    async def _forget(self, key: str, record: SessionRecord) -> None:
        """Remove the folder and the record of an ended session; of one that was stopped, its card and tokens, too."""
        if self._records.get(key) is not record or (record.user, record.server) in self._known():
            return  # started again meanwhile
        await self._records.remove(key)
        await asyncio.to_thread(shutil.rmtree, self._runtime_dir / "sessions" / key, True)
        if record.stop_wanted:
            self._end_of_stop(record)

    def _end_of_stop(self, record: SessionRecord) -> None:
        """Remove the card and the tokens of a session that was stopped; a card that says why it ended stays."""
        from jupyterhub import orm
        from jupyterhub.utils import url_escape_path, url_path_join

        row = orm.User.find(self._hub.db, record.user)
        user = self._hub.users[row] if row is not None else None
        if user is None or record.server not in user.orm_spawners:
            return
        spawner = user.spawners[record.server]
        if spawner.active or spawner.pending:
            return
        if spawner.ending:
            spawner.clear_state()
            spawner.orm_spawner.state = spawner.get_state()
        else:
            user.spawners.pop(record.server, None)
            self._hub.db.delete(user.orm_spawners[record.server])
        # JupyterHub's stop did not get as far as that
        base_url = url_path_join(user.base_url, url_escape_path(record.server), "/")
        given = self._hub.db.query(orm.APIToken).filter_by(user_id=row.id, note=f"Server at {base_url}")
        clients = self._hub.db.query(orm.OAuthClient).filter_by(identifier=spawner.oauth_client_id)
        for one in (*given, *clients):
            self._hub.db.delete(one)
        self._hub.db.commit()

    async def _check_routes(self) -> None:
        """Let the hub add the routes that are missing, and delete those of sessions that it does not know."""
        try:
            await self._hub.proxy.check_routes(self._hub.users, self._hub._service_map)
        except Exception as problem:
            _log.error("the routes of the proxy could not be checked: %s", problem)

    # -- the report --------------------------------------------------------------------------------------------------

    def _report(self, outcome: Outcome) -> None:
        """Log what changed since the last round, and leave the outcome for the doctor."""
        words = [*outcome.ended, *outcome.waiting, *([f"nothing: {outcome.unknown}"] if outcome.unknown else [])]
        for line in outcome.ended:
            _log.warning("ended a session: %s", line)
        if words != self._last_words:
            grace_s = self._settings.orphan_grace_s
            then = "see daas-hub unknown-sessions" if grace_s is None else f"it is ended after {grace_s:.0f} s"
            for line in outcome.waiting:
                _log.error("%s; %s", line, then)
            if outcome.unknown:
                _log.error("sessions cannot be compared with what runs, and none is ended: %s", outcome.unknown)
        self._last_words = words
        self._runtime_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = self._runtime_dir / f"{REPORT}.new"
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(asdict(outcome)))
        temporary.replace(self._runtime_dir / REPORT)


def last_outcome(runtime_dir: Path) -> Finding:
    """Return the result of the running hub's last round, for the doctor."""
    key, check = "sessions.reconciled", "read how the hub last compared its sessions with what runs"
    try:
        outcome = Outcome(**json.loads((runtime_dir / REPORT).read_text()))
    except (OSError, ValueError, TypeError):
        return not_checked(key, check, "no hub has done this here yet")
    age_s = max(0.0, time.time() - outcome.at)
    if age_s > 3 * outcome.interval_s + 60:
        return not_checked(key, check, f"the last time was {age_s / 60:.0f} minutes ago: no hub is running")
    if outcome.unknown:
        return warning(key, check, f"not possible: {outcome.unknown}", "Make the backend answer; nothing is ended.")
    if outcome.waiting:
        return warning(
            key,
            check,
            "; ".join(outcome.waiting),
            "End them with `daas-hub unknown-sessions --end`, or leave them until their time limit.",
        )
    ended = f"; ended {', '.join(outcome.ended)}" if outcome.ended else ""
    return ok(key, check, f"{outcome.running} running, all known, {age_s:.0f} s ago{ended}")
