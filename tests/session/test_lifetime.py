"""What a session reports, and when it ends itself; the tests own its clock, its processors and its hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daas_hub.disk_space import Space
from daas_hub.lifetime import Limits, Reason
from daas_hub.session.activity import Activity
from daas_hub.session.disk_use import DiskUse
from daas_hub.session.end_notice import end_of
from daas_hub.session.lifetime import HUB_ENDS_WITHIN_S, Lifetime, end_programs
from daas_hub.session.processor_use import ProcessorUse, processor_seconds, runnable

IDLE = Limits(longest_s=36_000, idle_s=3600, warning_s=600)
AGE = Limits(longest_s=7200, warning_s=600, extension_s=3600, max_extensions=1)


class Disk(DiskUse):
    """Disks of which a test says what is full."""

    async def look(self) -> None:
        """Find what the test says."""


class Scene:
    """A session: time passes when it waits, and `at` says what happens then."""

    def __init__(self, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 1000.0
        self.processor_s = 0.0
        self.use_per_s = 0.0
        self.waiting: frozenset[int] = frozenset()
        self.reports: list[tuple[float, dict[str, Any]]] = []
        self.answer: dict[str, Any] | None = {}
        self.at: list[tuple[float, Callable[[], None]]] = []
        monkeypatch.setattr("daas_hub.session.clock.now", lambda: self.time)
        self.activity = Activity()
        processors = ProcessorUse(
            limits.busy_processors,
            limits.window_s,
            lambda: self.processor_s,
            lambda: self.time,
            lambda: self.waiting,
        )
        self.disk = Disk()
        self.lifetime = Lifetime(
            limits,
            self.activity,
            self.report,
            processors=processors,
            disk=self.disk,
            now=lambda: self.time,
            sleep=self.sleep,
        )

    async def report(self, more: dict[str, Any]) -> dict[str, Any]:
        """Take a report as the hub does."""
        if self.answer is None:
            raise OSError("the hub is away")
        self.reports.append((self.time, more))
        return self.answer

    async def sleep(self, seconds: float) -> None:
        """Let time pass, second by second."""
        assert seconds > 0, "it waits for nothing"
        until = self.time + seconds
        while self.time < until:
            step = min(1.0, until - self.time)
            self.time += step
            self.processor_s += step * self.use_per_s
            while self.at and self.time >= self.at[0][0]:
                self.at.pop(0)[1]()
        assert self.time < 1e6, "it never ends"


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Callable[[Limits], Scene]:
    return lambda limits: Scene(limits, monkeypatch)


async def test_an_idle_session_ends_itself_while_the_hub_is_away(scene: Callable[[Limits], Scene]) -> None:
    one = scene(IDLE)
    one.answer = None
    assert await one.lifetime.run() is Reason.IDLE
    assert one.time - 1000 == pytest.approx(3600, abs=5)


async def test_a_hub_that_answers_ends_it_first(scene: Callable[[Limits], Scene]) -> None:
    one = scene(IDLE)
    assert await one.lifetime.run() is Reason.IDLE
    assert one.time - 1000 == pytest.approx(3600 + HUB_ENDS_WITHIN_S, abs=5)
    # the hub decides by a report that covers the moment
    idle = [report for moment, report in one.reports if moment >= 4600]
    assert idle[0]["use"]["unused_s"] >= 3600


async def test_keys_keep_it(scene: Callable[[Limits], Scene]) -> None:
    one = scene(IDLE)
    one.answer = None
    one.at = [(1000.0 + hour * 3000, one.activity.note) for hour in range(1, 4)]
    assert await one.lifetime.run() is Reason.IDLE
    assert one.time - 1000 == pytest.approx(9000 + 3600, abs=5)


async def test_processors_keep_it(scene: Callable[[Limits], Scene]) -> None:
    """A computation with nobody there, of half a processor; then what a toolkit uses while nobody works with it."""
    one = scene(IDLE)
    one.answer = None
    one.use_per_s = 0.5
    one.at = [(11_000.0, lambda: setattr(one, "use_per_s", 0.04))]
    assert await one.lifetime.run() is Reason.IDLE
    assert one.time - 11_000 == pytest.approx(3600, abs=70)


async def test_a_computation_of_the_last_moment_keeps_it(scene: Callable[[Limits], Scene]) -> None:
    one = scene(IDLE)
    one.answer = None
    one.at = [(4580.0, lambda: setattr(one, "use_per_s", 1.0)), (5000.0, lambda: setattr(one, "use_per_s", 0.0))]
    assert await one.lifetime.run() is Reason.IDLE
    assert one.time > 5000 + 3500


async def test_a_starved_computation_keeps_it(scene: Callable[[Limits], Scene]) -> None:
    """The machine is overloaded: a program that computes gets less than the threshold, but could always run."""
    one = scene(IDLE)
    one.answer = None
    one.use_per_s = 0.03
    one.waiting = frozenset({17})
    one.at = [(11_000.0, lambda: setattr(one, "waiting", frozenset()))]
    assert await one.lifetime.run() is Reason.IDLE
    assert one.time - 11_000 == pytest.approx(3600, abs=125)


async def test_two_programs_that_happen_to_run_compute_nothing(scene: Callable[[Limits], Scene]) -> None:
    one = scene(IDLE)
    one.answer = None
    one.at = [(1000.0 + 50 * number, lambda n=number: setattr(one, "waiting", frozenset({n}))) for number in range(90)]  # type: ignore[misc]
    assert await one.lifetime.run() is Reason.IDLE
    assert one.time - 1000 == pytest.approx(3600, abs=5)


async def test_the_owner_keeps_it_from_its_card(scene: Callable[[Limits], Scene]) -> None:
    one = scene(IDLE)
    one.at = [(4300.0, lambda: setattr(one, "answer", {"kept_s": 0.0})), (4400.0, lambda: setattr(one, "answer", None))]
    assert await one.lifetime.run() is Reason.IDLE
    assert one.time > 4300 + 3500


async def test_an_extension_is_learned_at_the_end_at_the_latest(scene: Callable[[Limits], Scene]) -> None:
    one = scene(AGE)
    one.at = [(8190.0, lambda: setattr(one, "answer", {"remaining_s": 3600.0}))]
    one.at += [(8300.0, lambda: setattr(one, "answer", None))]
    assert await one.lifetime.run() is Reason.TIME_LIMIT
    assert one.time - 8200 == pytest.approx(3600, abs=60)


async def test_a_session_that_nobody_limits_reports_its_use_only(scene: Callable[[Limits], Scene]) -> None:
    """As it always did: a thousand idle sessions cost the hub nothing."""
    one = scene(Limits(longest_s=7200))
    one.at = [(3000.0, one.activity.note)]
    await one.lifetime.run()
    moments = [moment for moment, _ in one.reports if moment < 1000 + 7200 - 600]
    assert len(moments) == 2


async def test_a_page_that_is_shown_is_told_what_is_announced(scene: Callable[[Limits], Scene]) -> None:
    """Also one that nobody uses; and the announcement is gone a minute after it was withdrawn."""
    one = scene(Limits(longest_s=7200))
    banner = {"id": 1, "level": "info", "text": "Beam is off."}
    seen: list[tuple[float, list[str]]] = []

    def look() -> None:
        seen.append((one.time, [shown["text"] for shown in one.lifetime.notices()]))
        one.lifetime.note_page()

    one.at = [(2000.0 + 10 * number, look) for number in range(40)]
    one.at.append((2395.0, lambda: setattr(one, "answer", {"notices": [banner]})))
    one.at += [(2400.0 + 10 * number, look) for number in range(20)]
    # nobody looks any more, and it is withdrawn after the next report
    one.at.append((2640.0, lambda: setattr(one, "answer", {"notices": []})))
    one.at += [(2700.0, lambda: seen.append((one.time, [shown["text"] for shown in one.lifetime.notices()])))]
    await one.lifetime.run()
    texts = dict(seen)
    assert texts[2390] == []
    assert texts[2460] == texts[2590] == ["Beam is off."]
    assert texts[2700] == []
    reports = [moment for moment, _ in one.reports]
    assert not [moment for moment in reports if 1100 < moment < 2000], "nobody looks, and it is not used"


async def test_a_hub_of_another_release_answers_nothing(scene: Callable[[Limits], Scene]) -> None:
    one = scene(AGE)
    one.answer = {"remaining_s": "soon", "kept_s": None}
    assert await one.lifetime.run() is Reason.TIME_LIMIT


async def test_a_directory_that_is_almost_full_is_said_at_once_and_until_it_is_not(
    scene: Callable[[Limits], Scene],
) -> None:
    """To the hub for the card, and on the session's own pages, also where nobody uses it."""
    one = scene(AGE)
    full = Space("/tmp", 5 * 2**20, 2**30)
    shown: list[list[str]] = []
    one.at = [
        (2000.0, lambda: setattr(one.disk, "full", (full,))),
        (2200.0, lambda: shown.append([each["words"] for each in one.lifetime.notices()])),
        (3000.0, lambda: setattr(one.disk, "full", ())),
        (3200.0, lambda: shown.append([each["words"] for each in one.lifetime.notices()])),
    ]
    one.answer = {"remaining_s": 7200.0}
    one.at.append((4000.0, lambda: setattr(one, "answer", None)))
    assert await one.lifetime.run() is Reason.TIME_LIMIT
    said = [(moment, report.get("full")) for moment, report in one.reports]
    first = next(moment for moment, reported in said if reported)
    last = next(moment for moment, reported in said if moment > first and not reported)
    assert 2000 <= first <= 2000 + AGE.window_s
    assert 3000 <= last <= 3000 + AGE.window_s
    assert next(reported for _, reported in said if reported) == [full.as_report()]
    assert shown == [[full.words], []]


async def test_what_its_page_shows(scene: Callable[[Limits], Scene]) -> None:
    one = scene(AGE)
    assert end_of(one.lifetime) is None
    one.time += 6900
    assert end_of(one.lifetime) == {
        "words": "This session ends in 5 minutes, at its time limit.",
        "remaining_s": 300.0,
        "action": "Extend by 1 hour",
    }
    one.answer = {"remaining_s": 3900.0, "can_extend": False}
    await one.lifetime.report(extend=True)
    assert one.reports[-1][1]["extend"] is True
    assert end_of(one.lifetime) is None
    one.time += 3600
    assert (end_of(one.lifetime) or {})["action"] == ""


def test_processor_seconds_of_all_processes(tmp_path: Path) -> None:
    """utime, stime, and those of children that ended; names may be hostile, and processes end meanwhile."""
    stat = "{} ({}) S 1 1 1 0 -1 4194560 10 20 0 0 100 50 30 20 20 0 1 0 300 4 5 6"
    for number, name in ((1, "bwrap"), (7, "a) R 9 9 9 (b")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "stat").write_text(stat.format(number, name))
    (tmp_path / "8").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal: 1 kB")
    assert processor_seconds(tmp_path) == pytest.approx(2 * 200 / 100)
    assert runnable(tmp_path) == frozenset()
    (tmp_path / "7" / "stat").write_text(stat.format(7, "a) S (b").replace(") S 1 1 1", ") R 1 1 1"))
    assert runnable(tmp_path) == {7}


def test_processor_seconds_of_this_machine() -> None:
    before = processor_seconds()
    sum(number * number for number in range(3_000_000))
    assert processor_seconds() > before


def test_only_a_sandbox_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside, the same call would end every program of this user."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda pid, number: killed.append((pid, number)))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    for first in ("systemd", "docker-init", "daas-pod"):
        (tmp_path / "comm").write_text(f"{first}\n")
        end_programs(tmp_path / "comm")
    end_programs(tmp_path / "absent")
    assert killed == []
    (tmp_path / "comm").write_text("bwrap\n")
    end_programs(tmp_path / "comm")
    assert killed == [(-1, 15), (-1, 9)]
