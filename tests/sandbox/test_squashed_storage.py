"""Sandboxes on storage that squashes root."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import PROBE
from tests.experiments import experiments
from tests.live_portal import Portal, new_state, remove, start_portal
from tests.sandbox.squashed_scenes import (
    test_home_that_nobody_here_may_create_is_refused_with_the_command,
    test_session_works_where_only_the_account_may_enter,
    test_storage_that_is_ill_or_closed_is_refused_in_words,
)
from tests.sandbox.squashed_site import squashed_storage
from tests.stand_ins.squashing import require_fuse

pytestmark = pytest.mark.sandbox

#: Collected here with this folder's portal.
SAME = (
    test_home_that_nobody_here_may_create_is_refused_with_the_command,
    test_session_works_where_only_the_account_may_enter,
    test_storage_that_is_ill_or_closed_is_refused_in_words,
)


@pytest.fixture(scope="module")
def squashed(sandbox_works: None) -> Iterator[Portal]:
    require_fuse()
    state = new_state()
    (state / "applications").mkdir()
    (state / "applications" / "probe.yaml").write_text(PROBE)
    more = experiments(state)
    with squashed_storage(state) as config:
        running = start_portal(state / "applications", state=state, more_config=f"{more}\n{config}")
        try:
            yield running
        finally:
            running.stop()
    remove(running)
