"""Launches where there is a queue: how one takes its turn, what pages say while it waits, and how it leaves."""

from __future__ import annotations

from typing import Any

from daas_hub.accounts.hub_user import withheld_roles
from daas_hub.admission.gate import Key
from daas_hub.admission.hub import Admission
from daas_hub.admission.line import Line
from daas_hub.admission.model import demand_of
from daas_hub.errors import DaasError, Refused
from daas_hub.launch import LaunchRequest, Plan
from daas_hub.launch_reference import FOR_USERS_ALONE
from daas_hub.launch_watch import LaunchWatch
from daas_hub.notices import NoticeBoard
from daas_hub.portal.base import PortalHandler


def current_line() -> Line | None:
    """Return the queue of this hub; None if launches do not wait."""
    admission = Admission.current()
    return admission.line if admission is not None else None


def waiting_words(spawner: Any) -> str:
    """Return what a card says of a session that waits; "" if it does not."""
    if current_line() is None:
        return ""
    return words_of((spawner.user.name, spawner.name), NoticeBoard.of(spawner.db))


def words_of(key: Key, board: NoticeBoard | None) -> str:
    """Return what pages say of the session of a user that waits; "" if it does not.

    Args:
        board: of this hub: no session starts during a maintenance.
    """
    line = current_line()
    words = line.words(key) if line is not None else ""
    is_closed = bool(words) and board is not None and not board.is_open()
    return f"{words} No session starts before the maintenance has ended." if is_closed else words


def leave_queue(user_name: str, session: str) -> None:
    """Remove the ticket of a session, if it has one."""
    if (line := current_line()) is not None:
        line.leave((user_name, session))


async def join_queue(handler: PortalHandler, name: str, request: LaunchRequest) -> Any:
    """Let a launch take its turn, if this person may have it now, and return its spawner.

    When its turn comes it is authorised again. The session has a record in the hub from now on: it is listed, and
    removing it leaves the queue.

    Raises:
        DaasError: worded for the user.
    """
    user, line = handler.current_user, current_line()
    if line is None:
        raise Refused("Launches do not wait here.", remedy="Try again later.")
    plan: Plan | None = None
    try:
        identity, withheld = await handler.identity(), withheld_roles(user)
        plan = await handler.facility.authorise(identity, request, withheld=withheld)
        demand = demand_of(plan, user.name, name)
        line.require_may_join(demand)
    except DaasError as problem:
        # no spawner does: there is no session yet
        watch = LaunchWatch(user.name, name)
        watch.requested(request)
        if plan is not None:
            watch.planned(plan)
        watch.failed(problem)
        problem.reference = "" if problem.reason in FOR_USERS_ALONE else watch.reference
        raise
    spawner = user.get_or_create_spawner(name, plan.application.title, replace_failed=True)
    spawner.orm_spawner.user_options = request.as_json()
    handler.log.info("queue: %s:%s takes its place in line", *demand.key)
    line.join(demand, request.as_json())
    return spawner


async def start_in_turn(spawner: Any, wait_s: float) -> None:
    """Start a session that has joined the queue, if there is room and nobody is before it.

    Args:
        wait_s: how long to wait for the start.
    """
    if (admission := Admission.current()) is not None:
        await admission.dispatcher.serve_now((spawner.user.name, spawner.name), wait_s)
