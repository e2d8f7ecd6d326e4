"""Accounts with hundreds and thousands of groups: the map within the kernel's limits, and real sandboxes with them."""

from __future__ import annotations

import os
import random
import tempfile
from dataclasses import replace

import pytest

from daas_hub.accounts import Account
from daas_hub.errors import SessionFailed
from daas_hub.spawners.sandbox.argv import MAX_ARGUMENT_BYTES, become_argv
from daas_hub.spawners.sandbox.gid_map import MAX_BYTES, MAX_GROUPS, MAX_RANGES, gid_map, groups_of
from daas_hub.spawners.sandbox.launch import build_sandbox
from daas_hub.storage import pin
from tests.not_tried import missing
from tests.spawners.sandbox.sites import GID, UID, site


def mapped(text: str) -> set[int]:
    """Return the gids of a map, each of which is shown as itself."""
    found: set[int] = set()
    for line in text.splitlines():
        inside, outside, count = map(int, line.split())
        assert inside == outside
        new = set(range(inside, inside + count))
        assert not new & found, "the kernel refuses ranges that overlap"
        found |= new
    return found


SCATTERED = [1_500_000 + 7 * number for number in range(300)]

TABLE = {
    "one": ([25001], 1, 0),
    "consecutive": ([25001, *range(40_000, 105_000)], 2, 0),
    "as many as fit": ([25001, *SCATTERED[:226]], 227, 0),
    "seven digits, scattered": ([25001, *SCATTERED], 227, 74),
    "short numbers, scattered": ([1000 + 2 * number for number in range(400)], 340, 60),
    "the most of a process": ([1000 + 2 * number for number in range(MAX_GROUPS)], 340, MAX_GROUPS - 340),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_map_within_the_kernels_limits(name: str) -> None:
    gids, lines, left = TABLE[name]
    random.Random(1).shuffle(gids)
    text, unmapped = gid_map(gids, [25001])
    assert (text.count("\n"), unmapped) == (lines, left)
    assert lines <= MAX_RANGES
    assert len(text) < MAX_BYTES
    assert mapped(text) <= set(gids), "no gid that the account does not have"
    assert len(mapped(text)) == len(gids) - left


def test_the_needed_groups_are_in_it_whatever_else_fits() -> None:
    gids = [25001, *SCATTERED, 60_000_000]
    assert {25001, SCATTERED[-1], 60_000_000} <= mapped(gid_map(gids, [25001, SCATTERED[-1], 60_000_000])[0])
    assert 99 not in mapped(gid_map(gids, [99, -1])[0]), "what is needed and not the account's is not added"


def test_more_groups_than_a_process_may_have_are_refused_in_words() -> None:
    account = Account("anna", 25001, 25001, tuple(range(30_000, 30_000 + MAX_GROUPS)))
    with pytest.raises(SessionFailed, match=r"65,537 groups.*65,536.*does not help"):
        become_argv(account)
    assert len(groups_of(replace(account, groups=account.groups[1:]))) == MAX_GROUPS


def test_no_argument_is_longer_than_the_kernel_takes() -> None:
    account = Account("anna", 25001, 25001, tuple(1_500_000 + 7 * number for number in range(MAX_GROUPS - 1)))
    assert max(map(len, become_argv(account))) < MAX_ARGUMENT_BYTES


@pytest.mark.sandbox
@pytest.mark.parametrize("count", [1, 226, 300, 5000, MAX_GROUPS - 1])
async def test_a_sandbox_with_every_group(sandbox_works: None, count: int) -> None:
    """Each group gives access; those beyond the map are shown as nogroup. No other group comes in."""
    if os.geteuid() != 0:
        missing("root", "only root can start a session as another account")
    groups = tuple(1_500_000 + 7 * number for number in range(count))
    with site() as one, tempfile.TemporaryFile() as output:
        folder = one.root / "data" / "run"
        folder.mkdir()
        for gid in {groups[0], groups[-1], groups[-1] + 1}:
            file = folder / f"of-{gid}"
            file.write_text("content")
            os.chown(file, 0, gid)
            file.chmod(0o640)
        pinned = await pin((one.home, one.data("run")))
        script = (
            f"cd ~/data; cat of-{groups[0]} of-{groups[-1]} of-{groups[-1] + 1}; id -u; id -g; "
            "grep ^Groups: /proc/self/status | wc -w; touch ~/new && stat -c %u:%g ~/new"
        )
        launch = one.launch(*pinned, command=["sh", "-c", script], output=output)
        account = Account("anna", UID, GID, groups)
        process = await build_sandbox(replace(launch, plan=replace(launch.plan, account=account)))
        await process.wait()
        for each in pinned:
            each.close()
        output.seek(0)
        said = output.read().decode()
    wanted = f"{UID}\n{GID}\n{count + 2}\n{UID}:{GID}\n"
    read = "content" * 2
    assert said.startswith(read), said[:500]
    assert "Permission denied" in said, "not a group of the account's"
    assert said.count("content") == 2
    assert said.endswith(wanted), said[-500:]
