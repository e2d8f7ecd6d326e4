"""Several visits in one session, in a container."""

from __future__ import annotations

import pytest

from tests.sandbox.several_visits import (
    test_rights_to_one_of_them_are_withdrawn,
    test_two_proposals_side_by_side,
    withdrawn,
)

pytestmark = pytest.mark.docker

#: What holds for every backend, with this folder's portal.
SAME = (test_rights_to_one_of_them_are_withdrawn, test_two_proposals_side_by_side, withdrawn)
