"""Which tests share a process in a run with several (tests/workers.py)."""

from __future__ import annotations

import pytest

from tests.workers import ON_ONE_SERVER, ONE_SERVER, TESTS, group_of, ports_of


@pytest.mark.parametrize("folder", ON_ONE_SERVER)
def test_tests_of_one_server_are_one_group(folder: str) -> None:
    files = sorted((TESTS / folder).glob("test_*.py"))
    assert files, "the folder has moved"
    assert {group_of(file) for file in files} == {ONE_SERVER}


def test_a_file_is_a_group() -> None:
    assert group_of(TESTS / "hub" / "test_kills.py") == "hub/test_kills.py"


@pytest.mark.parametrize("count", [2, 3, 8])
def test_two_workers_never_give_the_same_port(count: int) -> None:
    given = [port for number in range(count) for port in ports_of(f"gw{number}", count)]
    assert len(given) == len(set(given))


def test_one_process_has_all_ports() -> None:
    assert ports_of("", 1) == range(18000, 30000)
