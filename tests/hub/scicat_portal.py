"""A whole portal on SciCat, for tests of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.live_portal import WITHOUT_PROGRESS_PAGE, Portal, new_state, remove, start_portal
from tests.stand_ins.running import running_beside
from tests.stand_ins.scicat import TOMCAT, SciCat, proposal

SLASH = "20.500.99999/2026-0123"
CONFIG = """
{at_once}
c.Facility.proposals = "scicat"
c.Facility.cache_s = 0
c.SciCatProposals.url = "{url}/api/v3"
c.SciCatProposals.user = "reader"
c.SciCatProposals.password_file = "{state}/scicat-password"
c.SciCatProposals.timeout_s = 30
c.MountRules.data_roots = ["{state}/raw"]
c.MountRules.data = ["{state}/raw/{{proposal}}/{{beamline}}"]
"""


@dataclass
class ScicatSite:
    """The portal, and its catalogue, which can be changed."""

    portal: Portal
    scicat: SciCat


@contextmanager
def scicat_site() -> Iterator[ScicatSite]:
    """Run the portal on a catalogue with an id with a slash, broken text, and records that cannot be used."""
    scicat = SciCat(
        proposals=[
            proposal(SLASH, "ma-4242", title="With a slash", MeasurementPeriodList=[], instrumentIds=[TOMCAT]),
            proposal("c2", "ma-4242", title="cut by the user office: \ud83d"),
            proposal("../c3", "ma-4242", title="An impossible id"),
            proposal("c4", "strangers", accessGroups=["ma-4242"]),
        ]
    )
    state = new_state()
    secret = state / "scicat-password"
    secret.touch(0o600)
    secret.write_text("portal-password\n")
    raw = state / "raw" / "20.500.99999+2026-0123" / "TOMCAT"
    raw.mkdir(parents=True)
    (raw / "scan.h5").write_text("data")
    with running_beside(scicat.app()) as url:
        portal = start_portal(
            state=state, more_config=CONFIG.format(at_once=WITHOUT_PROGRESS_PAGE, url=url, state=state)
        )
        try:
            yield ScicatSite(portal, scicat)
        finally:
            portal.stop()
            remove(portal)
