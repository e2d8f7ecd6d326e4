"""Follow and stop a session."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from tornado import web

from daas_hub.accounts import Account
from daas_hub.launch import has_temporary_home, visits_in
from daas_hub.portal.buttons import Buttons
from daas_hub.portal.launch_login import is_login_kept, open_session, take_login
from daas_hub.portal.refusals import Refusal
from daas_hub.portal.session_cards import SessionCards
from daas_hub.portal.session_views import failure_of, reference_of, session_state, title_of_session
from daas_hub.portal.waiting import leave_queue
from daas_hub.proposals import Proposal


class SessionPage(SessionCards):
    """The page of a session that is starting, has failed or has ended."""

    async def show_session(self, account: Account, name: str, refused: Refusal | None = None) -> None:
        """Show it; a running session is opened.

        Args:
            refused: a launch that was sent from this page.
        """
        user = self.current_user
        if name not in user.orm_spawners:
            raise web.HTTPError(404, "You have no such session.")
        spawner = user.spawners[name]
        visits = visits_in(spawner.orm_spawner.user_options)
        proposals = {name: (await self.known_proposal(account, name))[0] for name in dict(visits)}
        titles = await self.titles_of_sessions(account)
        # only now: the state may have changed during the requests above
        state = session_state(spawner)
        if state == "running" and not self.get_query_argument("unanswered", ""):
            self.redirect(open_session(self, spawner, take_login(self, spawner)))
            return
        card = next(card for card in self.cards(titles, account) if card["name"] == name)
        if state == "waiting":
            await self._show_waiting(account, card)
            return
        button = self.buttons(account, refused)
        query = urlencode({"_xsrf": self.xsrf_token.decode("ascii")})
        await self.show(
            "session.html",
            **self.shown_refusal(refused, title_of_session(card)),
            page=f"sessions/{name}",
            active="sessions",
            person=self.person(account),
            session=card,
            steps=list(getattr(spawner, "steps", ())),
            progress_url=f"{self.hub_url}api/users/{user.name}/servers/{name}/progress?{query}",
            ready=False,
            # this page again, if it signs the browser in there
            session_url=f"{self.hub_url}sessions/{name}" if is_login_kept(self, spawner) else card["open_url"],
            failed_text=failure_of(spawner) if state == "failed" else "",
            reference=reference_of(spawner),
            failed_at_limits=state == "failed" and getattr(spawner, "failed_at_limits", False),
            relaunch=self._relaunch(button, spawner, visits, proposals, larger=card["larger"]),
            relaunch_safely=self._relaunch(button, spawner, visits, proposals, temporary_home=True)
            if getattr(spawner, "failed_at_home", False)
            else None,
        )

    async def _show_waiting(self, account: Account, card: Mapping[str, Any]) -> None:
        """Show the place of a session in the queue."""
        await self.show(
            "waiting.html",
            title=title_of_session(card),
            active="sessions",
            person=self.person(account),
            session=card,
            sessions=[card],
        )

    def _relaunch(
        self,
        button: Buttons,
        spawner: Any,
        visits: Sequence[tuple[str, int | None]],
        proposals: Mapping[str, Proposal | None],
        *,
        temporary_home: bool = False,
        larger: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Return the button that launches the same again, if the application and all visits are still available.

        Args:
            larger: with the next larger size (see `larger_size_view`).
        """
        options = spawner.orm_spawner.user_options or {}
        application = self.facility.applications.applications.get(str(options.get("application", "")))
        if application is None or not button.only([application]):
            return None
        temporary_home = temporary_home or has_temporary_home(options)
        size, place = str(options.get("size") or ""), str(options.get("place") or "")
        if larger is not None and larger["size"]:
            size, place = larger["size"], larger["fields"].get("place", "")
        found = []
        for name, number in visits:
            proposal = proposals[name]
            visit = proposal.visit(-1 if number is None else number) if proposal else None
            if proposal is None or visit is None:
                return None
            found.append((proposal, visit))
        if len(found) > 1:
            several = [(proposal.id, visit.number) for proposal, visit in found]
            view = button(application, None, None, several=several, temporary_home=temporary_home, size=size)
        else:
            proposal, visit = found[0] if found else (None, None)
            view = button(application, proposal, visit, temporary_home=temporary_home, size=size)
        # where it was asked to be; a place that is not open now is refused in words
        return view | {"fields": view["fields"] | ({"place": place} if place else {})}


class SessionHandler(SessionPage):
    """`/sessions/<name>`: one session."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Show it."""
        await self.show_session(await self.account(), name)


class StopHandler(SessionCards):
    """Stops a session, also one that has ended already."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Ask whether to stop a running session."""
        account = await self.account()
        titles = await self.titles_of_sessions(account)
        card = next((card for card in self.cards(titles) if card["name"] == name), None)
        if card is None or not card["asks_before_stop"]:
            self.redirect(f"{self.hub_url}{f'sessions/{name}' if card else 'home'}")
            return
        await self.show(
            "stop.html",
            title=f"Stop {title_of_session(card)}",
            active="sessions",
            person=self.person(account),
            session=card,
        )

    @web.authenticated
    async def post(self, name: str) -> None:
        """Stop it, forget it, and redirect home."""
        user = self.current_user
        leave_queue(user.name, name)
        if name in user.orm_spawners:
            spawner = user.spawners[name]
            if getattr(spawner, "is_unknown", False):
                raise web.HTTPError(409, f"This session cannot be stopped now. {spawner.unknown_notice}")
            if spawner.pending == "spawn" and spawner._spawn_future is not None:
                spawner._spawn_future.cancel()
                await asyncio.wait([spawner._spawn_future], timeout=2)
                spawner._spawn_pending = False
            if spawner.pending != "stop" and (spawner.active or await spawner.poll() is None):
                await self.stop_single_user(user, name)
        await forget(self, name)
        self.redirect(f"{self.hub_url}home", status=303)


class StockSpawnHandler(SessionCards):
    """Replaces the hub's spawn pages, where a link followed by a user's browser is enough to start a server."""

    @web.authenticated
    async def get(self, name: str = "") -> None:
        """Redirect to the session's page or the home page."""
        user = self.current_user
        known = bool(name) and name in user.orm_spawners
        self.redirect(f"{self.hub_url}sessions/{name}" if known else f"{self.hub_url}home")

    @web.authenticated
    async def post(self, name: str = "") -> None:
        """Redirect home: launches have their own form."""
        self.redirect(f"{self.hub_url}home", status=303)


async def forget(handler: SessionCards, name: str) -> None:
    """Remove the hub's record of a session that has ended; while it is stopping it stays listed."""
    user = handler.current_user
    if name not in user.orm_spawners:
        return
    spawner = user.spawners[name]
    if spawner.active or spawner.pending or getattr(spawner, "stop_wanted", False):
        return
    user.spawners.pop(name, None)
    handler.db.delete(user.orm_spawners[name])
    handler.db.commit()
