"""What people are written about: their place in the queue, the end of a session, and notices of administrators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from jupyterhub import orm

from daas_hub.accounts import Identity
from daas_hub.accounts.hub_user import withheld_roles
from daas_hub.errors import Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.mail import KeptMessages, Mail, Notification, Outbox
from daas_hub.portal.audiences import classes_among
from daas_hub.portal.waiting import current_line

INTERVAL_S = 5.0
#: Seconds in which a hub that has started does not know everything: which sessions are idle, for instance.
SETTLED_AFTER_S = 180.0

#: The event loop keeps only weak references to tasks.
_running: set[asyncio.Task[None]] = set()
_known: WeakKeyDictionary[Any, Mailing] = WeakKeyDictionary()


class Mailing:
    """Watches one hub, and posts each notification once, also over a restart.

    Args:
        app: the hub.
        clock: seconds since any moment.
    """

    def __init__(
        self, app: Any, facility: Facility, mail: Mail, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._facility, self._mail, self._clock = app, facility, mail, clock
        server = mail.mail_server()
        self._kept = KeptMessages(app.db)
        self.outbox = Outbox(
            server.send, self.address_of, self._kept, sender=mail.sender, reply_to=mail.reply_to, limits=mail.limits()
        )
        self._settled = clock() + SETTLED_AFTER_S
        self._said = self._kept.said()

    async def watch(self) -> None:
        """Look every few seconds, for as long as the hub runs."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                self.look()
            except Exception:
                # whatever it is: the next round must come
                self._app.log.exception("what is to be sent by e-mail could not be found")

    def look(self) -> None:
        """Post what has become true since the last look."""
        now = {**(self._in_line() if self._mail.queue else {}), **(self._ending() if self._mail.session_ends else {})}
        if new := sorted(now.keys() - self._said):
            self.outbox.post(*(now[key] for key in new))
            self._said |= set(new)
        # what is true again later is said again
        if (gone := self._said - now.keys()) and self._clock() >= self._settled:
            self._kept.forget(gone)
            self._said -= gone

    def announce(self, text: str, audience: frozenset[str] | None = None) -> int:
        """Post a notice to everybody who has signed in; return how many messages were accepted.

        Args:
            audience: whom it is for, which is looked up when it is sent; None for everybody.
        """
        subject = f"Notice from {self._facility.name}"
        names = [name for (name,) in self._app.db.query(orm.User.name).order_by(orm.User.id)]
        words = self._signed(text)
        return self.outbox.post(*(Notification(name, subject, words, audience=audience) for name in names))

    async def address_of(self, notification: Notification) -> str | None:
        """Return the address of a user who still has an account; "" for none, None if it is not for them."""
        user = self._app.users.get(notification.person)
        state = await user.get_auth_state() or {} if user is not None else {}
        identity = Identity.from_state(state.get("identity")) or Identity.from_state(state.get("ended"))
        if identity is None:
            return ""
        try:
            account = await self._facility.account_of(identity)
            audience = notification.audience
            if audience is not None and not await classes_among(
                self._facility, account, audience, withheld_roles(user)
            ):
                return None
        except Refused:
            return ""
        except SourceUnavailable:
            if notification.audience is not None:
                self._app.log.warning("e-mail to %s dropped: whether it is for them is not known", notification.person)
                return None
            # a notification says nothing that needs the account, and the login has shown it
            return self._mail.address_in(identity.claims)
        return self._mail.address_in(identity.claims) or account.mail

    def _in_line(self) -> dict[tuple[str, str], Notification]:
        line = current_line()
        found: list[Notification] = []
        places: set[str] = set()
        for ticket in line.waiting() if line is not None else ():
            user, session = ticket.demand.key
            if ticket.is_called:
                words = "It is your turn: it is starting."
                found.append(self._notification(user, session, "starts now", words, f"turn {session}"))
            elif ticket.demand.place not in places:
                places.add(ticket.demand.place)
                words = "You are first in line. It starts by itself when there is room for it."
                found.append(self._notification(user, session, "is next in line", words, f"next {session}"))
        return _by_key(found)

    def _ending(self) -> dict[tuple[str, str], Notification]:
        found = []
        for user in list(self._app.users.values()):
            for session, spawner in list(user.spawners.items()):
                if spawner.ready and (words := getattr(spawner, "end_notice", "")):
                    found.append(self._notification(user.name, session, "ends soon", words, f"end {session}"))
        return _by_key(found)

    def _notification(self, user: str, session: str, what: str, words: str, about: str) -> Notification:
        title = self._title_of(user, session)
        address = self._address()
        link = f"\n\n{address}hub/sessions/{session}" if address and session else ""
        return Notification(user, f"{title} {what}", self._signed(f"{title}: {words}{link}"), about)

    def _title_of(self, user: str, session: str) -> str:
        found = self._app.users.get(user)
        row = found.orm_spawners.get(session) if found is not None else None
        name = str((row.user_options or {}).get("application", "")) if row is not None else ""
        application = self._facility.applications.applications.get(name)
        return application.title if application is not None else "Your session"

    def _address(self) -> str:
        public = str(self._app.public_url or "")
        return f"{public.rstrip('/')}/" if public else ""

    def _signed(self, text: str) -> str:
        return f"{text}\n\n-- \n{self._facility.name}, data analysis portal\n{self._address()}"


def _by_key(found: Iterable[Notification]) -> dict[tuple[str, str], Notification]:
    return {(one.person, one.about): one for one in found}


def start_mailing(app: Any) -> None:
    """Let a hub send e-mail for as long as it runs, if that is configured.

    Raises:
        ConfigurationError: the settings cannot work.
    """
    mail = Mail(config=app.config)
    if not mail.is_on:
        return
    mailing = _known[app.db.get_bind()] = Mailing(app, Facility.of(app.config), mail)
    for work in (mailing.watch(), mailing.outbox.run()):
        task = asyncio.get_running_loop().create_task(work)
        _running.add(task)
        task.add_done_callback(_running.discard)


def mailing_of(db: Any) -> Mailing | None:
    """Return what sends the e-mail of the hub with this database; None if it sends none."""
    return _known.get(db.get_bind())
