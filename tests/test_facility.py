"""The composition root: what it builds from a configuration, what it refuses, and the way from a login to a plan."""

from __future__ import annotations

import datetime
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from daas_hub.accounts import Identity
from daas_hub.errors import (
    AccountRefused,
    ConfigurationError,
    DocumentError,
    NoAccount,
    Refused,
    SourceUnavailable,
    StorageProblem,
)
from daas_hub.facility import Facility
from daas_hub.launch import LaunchRequest

ISSUER = "https://login.example.org"
ANNA = Identity(ISSUER, "anna", "Anna L.")

ACCOUNTS = """
accounts:
  - name: anna
    uid: 25001
    gid: 25001
    groups: {ma: 26001}
    logins: [{issuer: "https://login.example.org", subject: anna}]
  - {name: admin, uid: 0, gid: 0, logins: [{issuer: "https://login.example.org", subject: root}]}
  - {name: ben, uid: 25002, gid: 25002, logins: [{issuer: "https://login.example.org", subject: ben}]}
"""
PROPOSALS = """
proposals:
  - id: MA-4242
    title: Glass
    gid: 26001
    members: [anna, ben]
    visits: [{number: 1, beamline: ID21}, {number: 2, beamline: ID21, data: [/etc]}]
  - {id: LS-1007, title: Foils, members: [ben]}
"""
LAB = "name: lab\ntitle: JupyterLab\nkind: notebook\n"
PYMCA = "name: pymca\ntitle: PyMca\nkind: desktop\ncommand: [pymca]\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a configuration that is in order."""
    (tmp_path / "applications").mkdir()
    (tmp_path / "applications" / "lab.yaml").write_text(LAB)
    (tmp_path / "applications" / "pymca.yaml").write_text(PYMCA)
    (tmp_path / "accounts.yaml").write_text(ACCOUNTS)
    (tmp_path / "proposals.yaml").write_text(PROPOSALS)
    c = Config()
    c.Facility.accounts_file = str(tmp_path / "accounts.yaml")
    c.Facility.proposals_file = str(tmp_path / "proposals.yaml")
    c.Facility.catalogue = [str(tmp_path / "applications")]
    c.Facility.state = "/var/lib/daas-hub"
    c.MountRules.data = ["/data/visitor/{proposal}/{beamline}/{visit}"]
    return c


@pytest.fixture
def facility(config: Config) -> Facility:
    return Facility(config=config)


# -- from a login to a plan ----------------------------------------------------------------------------------------


async def test_the_whole_way(facility: Facility) -> None:
    plan = await facility.authorise(ANNA, LaunchRequest("lab", "MA-4242", 1))
    assert (plan.account.name, plan.account.uid) == ("anna", 25001)
    assert {mount.target: str(mount.source) for mount in plan.mounts} == {
        ".": "/var/lib/daas-hub/homes/anna",
        "data": "/data/visitor/MA-4242/ID21/1",
        "processed": "/var/lib/daas-hub/processed/MA-4242",
    }
    assert [application.name for application in plan.desktops] == ["pymca"]


async def test_the_beamtimes_of_a_plan_are_those_of_its_visits(config: Config, tmp_path: Path) -> None:
    times = "start: 2026-03-09T08:00:00, end: 2026-03-12T08:00:00Z"
    text = PROPOSALS.replace("{number: 1, beamline: ID21}", f"{{number: 1, beamline: ID21, {times}}}")
    (tmp_path / "proposals.yaml").write_text(text)
    config.Facility.timezone = "Asia/Kolkata"
    facility = Facility(config=config)
    plan = await facility.authorise(ANNA, LaunchRequest("lab", "MA-4242", 1))
    # the facility's zone is five hours and a half ahead
    moments = [datetime.datetime.fromisoformat(one) for one in ("2026-03-09T02:30Z", "2026-03-12T08:00Z")]
    assert plan.beamtimes == (tuple(one.timestamp() for one in moments),)


async def test_the_class_of_a_plan_is_that_of_the_login(config: Config) -> None:
    config.RoleRules.role_issuers = {"federated": [ISSUER], "local": ["https://other.example.org"]}
    plan = await Facility(config=config).authorise(ANNA, LaunchRequest("pymca"))
    assert plan.person_groups == {"role:federated", "group:ma"}


async def test_an_own_resource_needs_no_proposals(facility: Facility, tmp_path: Path) -> None:
    """AL06, ES44: the source of proposals is not even asked."""
    (tmp_path / "proposals.yaml").unlink()
    plan = await facility.authorise(ANNA, LaunchRequest("pymca"))
    assert [mount.target for mount in plan.mounts] == ["."]


@pytest.mark.parametrize(
    ("identity", "request_", "error", "words"),
    [
        pytest.param(Identity(ISSUER, "mallory"), LaunchRequest("lab"), NoAccount, "no account", id="B2 unknown"),
        pytest.param(Identity(ISSUER, "root"), LaunchRequest("lab"), NoAccount, "cannot be used", id="B1 root"),
        pytest.param(ANNA, LaunchRequest("lab", "LS-1007", 1), Refused, "among yours", id="D1 a colleague's"),
        pytest.param(ANNA, LaunchRequest("lab", "MA-4242", 9), Refused, "no visit", id="no such visit"),
        pytest.param(
            ANNA, LaunchRequest("lab", "MA-4242", 2), StorageProblem, "outside", id="A5 a path of the machine"
        ),
        pytest.param(
            Identity(ISSUER, "ben"), LaunchRequest("lab", "MA-4242", 1), StorageProblem, "group", id="B6 no group"
        ),
        pytest.param(ANNA, LaunchRequest("matlab"), Refused, "no such application", id="no such application"),
    ],
)
async def test_refusals(
    facility: Facility, identity: Identity, request_: LaunchRequest, error: type[Refused], words: str
) -> None:
    with pytest.raises(error, match=words) as refused:
        await facility.authorise(identity, request_)
    assert refused.value.for_user
    assert "/etc" not in str(refused.value)


async def test_a_right_that_was_withdrawn_ends_at_the_next_start(facility: Facility, tmp_path: Path) -> None:
    """D3: the same request, stored by an earlier start; the pages' memory of a minute ago does not help."""
    request = LaunchRequest("lab", "MA-4242", 1)
    account = await facility.account_of(ANNA)
    assert len((await facility.proposals_of(account)).proposals) == 1
    await facility.authorise(ANNA, request)
    file = tmp_path / "proposals.yaml"
    file.write_text(PROPOSALS.replace("[anna, ben]", "[ben]"))
    os.utime(file, ns=(1, 1))
    with pytest.raises(Refused, match="among yours"):
        await facility.authorise(ANNA, request)


async def test_a_source_that_is_down_grants_nothing(facility: Facility, tmp_path: Path) -> None:
    """D7."""
    account = await facility.account_of(ANNA)
    assert (await facility.proposals_of(account)).proposals
    (tmp_path / "proposals.yaml").write_text("proposals: [")
    with pytest.raises(SourceUnavailable):
        await facility.authorise(ANNA, LaunchRequest("lab", "MA-4242", 1))


async def test_the_sources_are_reported_who_asks_and_the_session_is_not(facility: Facility) -> None:
    """L3: a source may know people by their login; a plan has no use for it, nor for a token."""
    identity = Identity(ISSUER, "anna", "Anna L.", access_token="TOKEN")
    account = await facility.account_of(identity)
    assert account.login == identity
    plan = await facility.authorise(identity, LaunchRequest("lab", "MA-4242", 1))
    assert plan.account.login is None
    assert "TOKEN" not in repr((account, plan))


async def test_several_sources_are_joined(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """AL52: by configuration; a plain name still works."""
    config.Facility.proposals = ["static"]
    account = await Facility(config=config).account_of(ANNA)
    assert [one.id for one in (await Facility(config=config).proposals_of(account)).proposals] == ["MA-4242"]


async def test_decisions_are_logged_once_with_who_and_what(
    facility: Facility, caplog: pytest.LogCaptureFixture
) -> None:
    """P6, PS02."""
    with caplog.at_level(logging.INFO, logger="jupyterhub.daas"):
        await facility.authorise(ANNA, LaunchRequest("lab", "MA-4242", 1))
        with pytest.raises(Refused):
            await facility.authorise(ANNA, LaunchRequest("lab", "LS-1007", 1))
    allowed, refused = (record.getMessage() for record in caplog.records)
    assert allowed.startswith("authorised account=anna uid=25001")
    assert "MA-4242" in allowed
    assert refused.startswith("refused account=anna")
    assert "LS-1007" in refused


# -- several sources, accounts of proposals, roles ------------------------------------------------------------------

CLAIMED = Identity(ISSUER, "anna", "Anna", {"preferred_username": "anna", "uidNumber": 25001, "gidNumber": 25001})


def claimed_now(uid: int = 25001, *, gids: list[int] | None = None, **claims: Any) -> Identity:
    claims_now = {**CLAIMED.claims, "uidNumber": uid, "gids": [26001] if gids is None else gids, **claims}
    return Identity(ISSUER, "anna", "Anna", claims_now, time.time())


@pytest.fixture
def two_sources(config: Config) -> Config:
    config.Facility.accounts = ["claims", "table"]
    config.ClaimsAccounts.issuers = [ISSUER]
    config.ClaimsAccounts.groups_claim = "gids"
    return config


async def test_two_sources_that_agree(two_sources: Config) -> None:
    """B4: the whole way, from settings to a plan."""
    facility = Facility(config=two_sources)
    assert facility.claims == {"preferred_username", "uidNumber", "gidNumber", "gids"}
    plan = await facility.authorise(claimed_now(), LaunchRequest("lab", "MA-4242", 1))
    assert (plan.account.name, plan.account.uid, plan.account.groups) == ("anna", 25001, (26001,))
    # the table knows ben, and the login has none of these claims
    assert (await facility.account_of(Identity(ISSUER, "ben", received_at=time.time()))).uid == 25002


async def test_two_sources_that_disagree(two_sources: Config) -> None:
    facility = Facility(config=two_sources)
    for identity, words in ((claimed_now(25002), "the uid of"), (claimed_now(gids=[]), "the groups of")):
        with pytest.raises(AccountRefused, match=words):
            await facility.authorise(identity, LaunchRequest("lab"))
    two_sources.Facility.merge_groups = True
    united = Facility(config=two_sources)
    assert (await united.account_of(claimed_now(gids=[26009]))).groups == (26009, 26001)
    with pytest.raises(NoAccount, match="group 0"):
        await united.account_of(claimed_now(gids=[0]))


async def test_two_sources_of_which_one_is_down(two_sources: Config, tmp_path: Path) -> None:
    """D7."""
    facility = Facility(config=two_sources)
    (tmp_path / "accounts.yaml").write_text("accounts: [")
    with pytest.raises(SourceUnavailable):
        await facility.account_of(claimed_now())


OF_PROPOSALS = """
  - {name: u1, uid: 30001, gid: 30001, groups: {x: 26001}, logins: [{issuer: none, subject: u1}]}
"""
PROPOSALS_WITH_ACCOUNTS = """
proposals:
  - {id: "1", title: Glass, gid: 26001, members: [anna], visits: [{number: 1, beamline: ID21}]}
  - {id: "2", title: Foils, members: [anna], visits: [{number: 1, beamline: ID21}]}
  - {id: "0", title: Root, members: [anna], visits: [{number: 1, beamline: ID21}]}
  - {id: MA-4242, title: Wood, members: [anna], visits: [{number: 1, beamline: ID21}]}
"""


@pytest.fixture
def by_proposal(config: Config, tmp_path: Path) -> Config:
    (tmp_path / "accounts.yaml").write_text(ACCOUNTS + OF_PROPOSALS)
    (tmp_path / "proposals.yaml").write_text(PROPOSALS_WITH_ACCOUNTS)
    config.ProposalAccounts.template = "u{proposal}"
    config.ProposalAccounts.names = {"0": "admin"}
    return config


async def test_a_session_runs_as_its_proposal(by_proposal: Config, caplog: pytest.LogCaptureFixture) -> None:
    """AL51: data, home and groups are the proposal's; the log still knows the person."""
    facility = Facility(config=by_proposal)
    with caplog.at_level(logging.INFO, logger="jupyterhub.daas"):
        plan = await facility.authorise(ANNA, LaunchRequest("lab", "1", 1))
    assert (plan.account.name, plan.account.uid, plan.account.gid, plan.account.groups) == (
        "u1",
        30001,
        30001,
        (26001,),
    )
    home = plan.mounts[0]
    assert (str(home.source), home.owner) == ("/var/lib/daas-hub/homes/u1", (30001, 30001))
    assert plan.home == "/home/u1"
    assert "account=u1 uid=30001 person=anna" in caplog.text
    own = await facility.authorise(ANNA, LaunchRequest("lab"))
    assert own.account.name == "anna", "an own resource is the person's"


@pytest.mark.parametrize(
    ("identity", "proposal", "error", "words"),
    [
        pytest.param(Identity(ISSUER, "ben"), "1", Refused, "among yours", id="AL51 D1 no member"),
        pytest.param(Identity(ISSUER, "mallory"), "1", NoAccount, "no account", id="B2 nobody"),
        pytest.param(Identity("none", "u1"), "1", Refused, "among yours", id="the proposal's account is no member"),
        pytest.param(ANNA, "2", Refused, "no account u2", id="B2 the proposal has no account"),
        pytest.param(ANNA, "0", NoAccount, "uid 0", id="B1 the proposal's account is root"),
        pytest.param(ANNA, "MA-4242", Refused, "no account uMA-4242", id="capitals, and no account has them"),
    ],
)
async def test_who_may_not_run_as_a_proposal(
    by_proposal: Config, identity: Identity, proposal: str, error: type[Refused], words: str
) -> None:
    with pytest.raises(error, match=words):
        await Facility(config=by_proposal).authorise(identity, LaunchRequest("lab", proposal, 1))


async def test_a_member_who_was_taken_out_no_longer_runs_as_the_proposal(by_proposal: Config, tmp_path: Path) -> None:
    """AL51, D3: membership is asked for at the moment of use."""
    facility = Facility(config=by_proposal)
    await facility.authorise(ANNA, LaunchRequest("lab", "1", 1))
    file = tmp_path / "proposals.yaml"
    file.write_text(PROPOSALS_WITH_ACCOUNTS.replace("members: [anna]", "members: [ben]"))
    os.utime(file, ns=(1, 1))
    with pytest.raises(Refused, match="among yours"):
        await facility.authorise(ANNA, LaunchRequest("lab", "1", 1))


async def test_roles_come_and_go_with_the_groups(config: Config, tmp_path: Path) -> None:
    """ES10: asked for each time, kept nowhere."""
    config.RoleRules.admin_groups = ["ma"]
    config.RoleRules.admin_claims = {"kind": ["operator"]}
    config.RoleRules.issuers = [ISSUER]
    facility = Facility(config=config)
    assert facility.claims == {"kind"}
    assert (await facility.account_of(ANNA)).roles == {"admin"}
    assert (await facility.account_of(Identity(ISSUER, "ben"))).roles == set()
    assert (await facility.account_of(Identity(ISSUER, "ben", claims={"kind": "operator"}))).roles == {"admin"}
    file = tmp_path / "accounts.yaml"
    file.write_text(ACCOUNTS.replace("{ma: 26001}", "{am: 26001}"))
    os.utime(file, ns=(1, 1))
    assert (await facility.account_of(ANNA)).roles == set()


@pytest.mark.parametrize(
    ("section", "setting", "value", "words"),
    [
        pytest.param("Facility", "accounts", [], "no source", id="an empty list"),
        pytest.param("Facility", "accounts", ["table", "table"], "twice", id="a source twice"),
        pytest.param("Facility", "accounts", ["table", "ldpa"], "there is no such source", id="an unknown source"),
        pytest.param("ProposalAccounts", "template", "users", "one account", id="A12 one account for all"),
        pytest.param("ProposalAccounts", "template", "u{account}", "unknown field", id="an unknown field"),
        pytest.param("ProposalAccounts", "names", {"A": "x", "B": "x"}, "two proposals", id="A12 one name twice"),
    ],
)
def test_rules_that_cannot_work_are_refused(config: Config, section: str, setting: str, value: Any, words: str) -> None:
    config[section][setting] = value
    with pytest.raises(ConfigurationError, match=words):
        Facility(config=config)


def test_accounts_of_proposals_need_a_source_that_knows_names(config: Config) -> None:
    config.Facility.accounts = "claims"
    config.ClaimsAccounts.issuers = [ISSUER]
    Facility(config=config)
    config.ProposalAccounts.template = "u{proposal}"
    with pytest.raises(ConfigurationError, match="by name"):
        Facility(config=config)


# -- configurations that cannot work -------------------------------------------------------------------------------


OWN, ON_A_PROPOSAL = LaunchRequest("lab"), LaunchRequest("lab", "MA-4242", 1)


async def test_own_resources_are_for_everybody_unless_they_are_restricted(facility: Facility) -> None:
    await facility.authorise(Identity(ISSUER, "ben"), OWN)


@pytest.mark.parametrize(
    ("rules", "who", "may"),
    [
        pytest.param({"own_resources_groups": ["ma"]}, ANNA, True, id="in the group"),
        pytest.param({"own_resources_groups": ["Ma"]}, ANNA, False, id="another group by its capitals"),
        pytest.param({"own_resources_groups": ["ma"]}, Identity(ISSUER, "ben"), False, id="not in the group"),
        pytest.param(
            {"own_resources_claims": {"kind": ["employee"]}, "issuers": [ISSUER]},
            Identity(ISSUER, "ben", claims={"kind": "employee"}),
            True,
            id="by a claim",
        ),
        pytest.param(
            {"own_resources_claims": {"kind": ["employee"]}, "issuers": [ISSUER]},
            Identity(ISSUER, "ben", claims={"kind": "guest"}),
            False,
            id="another value",
        ),
        pytest.param({"own_resources_groups": ["none"]}, Identity(ISSUER, "carla"), True, id="by the table's role"),
    ],
)
async def test_own_resources_for_some_people_only(
    config: Config, tmp_path: Path, rules: dict[str, Any], who: Identity, may: bool
) -> None:
    """The predecessor only hid the button (S4): here the launch itself is refused, also a stored one."""
    (tmp_path / "accounts.yaml").write_text(
        ACCOUNTS + "  - {name: carla, uid: 25003, gid: 25003, roles: [own_resources], "
        'logins: [{issuer: "https://login.example.org", subject: carla}]}\n'
    )
    config.RoleRules = Config(rules)
    facility = Facility(config=config)
    assert facility.may_have_own_resources(await facility.account_of(who)) is may
    if may:
        assert (await facility.authorise(who, OWN)).account.name == who.subject
    else:
        with pytest.raises(Refused, match="on proposals only") as refused:
            await facility.authorise(who, OWN)
        assert refused.value.for_user
    # proposals are not concerned
    if who.subject == "anna":
        await facility.authorise(who, ON_A_PROPOSAL)


async def test_claims_for_own_resources_need_an_issuer(config: Config) -> None:
    config.RoleRules.own_resources_claims = {"kind": ["employee"]}
    with pytest.raises(ConfigurationError, match="issuers"):
        Facility(config=config)


@pytest.mark.parametrize(
    ("section", "setting", "value", "words"),
    [
        pytest.param("Facility", "accounts", "ldpa", "Known here: .*table", id="unknown account source"),
        pytest.param("Facility", "proposals", "icta", "Known here: .*static", id="unknown proposal source"),
        pytest.param("Facility", "proposals", ["icta"], "Known here: .*static", id="unknown among several"),
        pytest.param("Facility", "proposals", [], "names no source", id="no proposal source"),
        pytest.param("Facility", "proposals", ["static", "static"], "or the same one twice", id="a source twice"),
        pytest.param("Facility", "accounts_file", "", "is not set", id="no account file"),
        pytest.param("Facility", "accounts_file", "/nowhere/a.yaml", "no such file", id="a missing account file"),
        pytest.param("Facility", "proposals_file", "/etc", "no such file", id="a folder for a file"),
        pytest.param("Facility", "state", "var/lib/daas", "absolute", id="a relative state"),
        pytest.param("MountRules", "data", ["data/{proposal}"], "absolute", id="relative data"),
        pytest.param("MountRules", "data", ["/data/../{proposal}"], "absolute", id="A5 data with .."),
        pytest.param("MountRules", "data", ["/data/{propsal}"], "Known: .*{proposal}", id="a misspelt field"),
        pytest.param("MountRules", "data", ["/data/{proposal"], "field", id="a field left open"),
        pytest.param("MountRules", "data", ["/data/{}"], "field", id="a field without a name"),
        pytest.param("MountRules", "data", ["/data/{0}/{proposal}"], "field", id="a numbered field"),
        pytest.param("MountRules", "data", ["/data/{{proposal}}"], "field", id="a field in double braces"),
        pytest.param("MountRules", "data", ["/data/{proposal!r}"], "field", id="a field with a conversion"),
        pytest.param("MountRules", "data", ["/data/{proposal:>9}"], "field", id="a field with a format"),
        pytest.param("MountRules", "data", ["/data/{proposal.__class__}"], "field", id="an attribute of a field"),
        pytest.param("MountRules", "data", ["/data/{proposal[0]}"], "field", id="a letter of a field"),
        pytest.param("MountRules", "data", ["/data/visitor"], "proposal", id="A12 AL18 data of all proposals"),
        pytest.param("MountRules", "data", ["/data/{number}"], "proposal", id="A12 AL18 data by number only"),
        pytest.param("MountRules", "data", ["/{proposal}"], "anywhere", id="data anywhere on the machine"),
        pytest.param("MountRules", "data", ["/data/*{proposal}"], "right next to", id="a star beside an id"),
        pytest.param("MountRules", "data", ["/data/{proposal}*"], "right next to", id="an id beside a star"),
        pytest.param("MountRules", "data", ["/data/**/{proposal}"], "one \\* per directory", id="two stars"),
        pytest.param("MountRules", "data", ["/data/{proposal|lover}"], "lower", id="a misspelt filter"),
        pytest.param("MountRules", "data", ["/data/{proposal}/{start}"], "year", id="a moment without its part"),
        pytest.param(
            "MountRules", "data", ["/data/{proposal}/{start|date:%s}"], "year", id="an unknown form of a date"
        ),
        pytest.param("MountRules", "data", ["/data/{proposal[3:3]}"], "first three", id="a slice of nothing"),
        pytest.param("MountRules", "data", ["/data/{path}"], "Put it first", id="a told path in the middle"),
        pytest.param("MountRules", "data", ["{path}x/{proposal}"], "Put it first", id="a told path without its end"),
        pytest.param("MountRules", "data", ["{path|lower}"], "used unchanged", id="a changed told path"),
        pytest.param("MountRules", "data", [{"name": "raw"}], "'path'", id="a directory without a path"),
        pytest.param("MountRules", "data", [{"path": "/d/{proposal}", "nmae": "raw"}], "'name'", id="a misspelt key"),
        pytest.param("MountRules", "data", [{"path": "/d/{proposal}", "name": "../x"}], "letters", id="a name with .."),
        pytest.param("MountRules", "data", [{"path": [], "name": "raw"}], "template", id="no path at all"),
        pytest.param(
            "MountRules", "data", [{"path": "/d/{proposal}", "optional": "no"}], "neither", id="a word as flag"
        ),
        pytest.param(
            "MountRules", "extra", [{"name": "data", "path": "/d/{proposal}"}], "are taken", id="another data"
        ),
        pytest.param("MountRules", "extra", [{"name": "s", "path": "/d", "writable": True}], "everybody", id="scratch"),
        pytest.param(
            "MountRules", "extra", [{"name": "s", "path": "/d/{number}"}], "other proposals", id="any visit 2"
        ),
        pytest.param(
            "MountRules", "extra", [{"name": "s", "path": "/d/{uid}", "create": True}], "fill", id="made, empty"
        ),
        pytest.param("MountRules", "processed", "/d/*/{proposal}", "create_processed", id="a star that is made"),
        pytest.param("MountRules", "time_zone", "Europe/Pairs", "Europe/Paris", id="a misspelt time zone"),
        pytest.param("Facility", "timezone", "Paris", "Europe/Paris", id="a time zone without its continent"),
        pytest.param("MountRules", "proposal_pattern", "p[0-9", "p\\[0-9", id="an open pattern"),
        pytest.param("MountRules", "data_roots", ["data"], "absolute", id="a relative root"),
        pytest.param("MountRules", "data_roots", ["/"], "data_roots", id="A5 the machine as a root"),
        pytest.param(
            "MountRules",
            "data_roots",
            ["/data/{proposal}"],
            "data_roots",
            id="a field in a root, which is never filled",
        ),
        pytest.param(
            "MountRules", "processed", "/data/processed", "shared by all", id="I3 one place for all proposals"
        ),
        pytest.param("MountRules", "processed", "processed/{proposal}", "absolute", id="a relative place"),
        pytest.param("MountRules", "home", "/home/user", "of their own", id="one home for all"),
        pytest.param("MountRules", "home", "/home/{account:.1}", "home", id="a home of the first letter"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    config: Config, section: str, setting: str, value: Any, words: str
) -> None:
    """At the start, naming the trait, the value and what would be accepted."""
    config[section][setting] = value
    with pytest.raises(ConfigurationError, match=words) as told:
        Facility(config=config)
    assert told.value.setting == f"{section}.{setting}"
    assert told.value.remedy
    assert not told.value.for_user
    shown = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(shown, dict) and "path" in shown and repr(shown) not in str(told.value):
        shown = shown["path"]
    assert repr(shown) in str(told.value)


@pytest.mark.parametrize(
    ("section", "setting", "value"),
    [
        ("Facility", "min_id", "1000"),
        ("Facility", "catalogue", 7),
        ("MountRules", "data", [7]),
        ("Facility", "environment", ["A=B"]),
        ("Facility", "cache_s", "a minute"),
    ],
)
def test_a_wrong_type_is_refused(config: Config, section: str, setting: str, value: Any) -> None:
    config[section][setting] = value
    with pytest.raises(TraitError, match=setting):
        Facility(config=config)


@pytest.mark.parametrize(
    ("file", "setting"), [("accounts.yaml", "accounts_file"), ("proposals.yaml", "proposals_file")]
)
def test_a_broken_file_is_reported_at_the_start(config: Config, tmp_path: Path, file: str, setting: str) -> None:
    (tmp_path / file).write_text("x: [\n")
    with pytest.raises(DocumentError, match=file):
        Facility(config=config)


def test_a_range_of_ids_without_any_id_is_refused(config: Config) -> None:
    config.Facility.min_id, config.Facility.max_id = 5000, 4000
    with pytest.raises(ConfigurationError, match="min_id"):
        Facility(config=config)


def test_a_bad_application_is_left_out_and_reported(config: Config, tmp_path: Path) -> None:
    (tmp_path / "applications" / "bad.yaml").write_text("name: bad\n")
    facility = Facility(config=config)
    assert list(facility.applications.applications) == ["lab", "pymca"]
    assert [Path(problem.path).name for problem in facility.problems] == ["bad.yaml"]


def test_there_is_one_facility_of_a_process(config: Config) -> None:
    Facility.clear_instance()
    try:
        assert Facility.of(config) is Facility.of(Config())
    finally:
        Facility.clear_instance()


def test_safe_by_default() -> None:
    """L5: nothing is mounted, nobody is below 1000, and the demo is off."""
    traits = Facility.class_traits(config=True)
    assert (traits["min_id"].default_value, traits["demo"].default_value) == (1000, False)
    assert Facility.class_trait_names(config=True)
    assert all((trait.help or "").strip() for trait in traits.values()), "help is written for the person on call"


@pytest.mark.parametrize(
    ("bind_url", "safe"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000/prefix", True),
        ("http://[::1]:8000", True),
        ("http://:8000", False),
        ("http://0.0.0.0:8000", False),
        ("http://127.0.0.1.example.org:8000", False),
        ("http://portal.example.org", False),
        ("", False),
    ],
)
def test_the_demo_stays_on_this_machine(config: Config, bind_url: str, safe: bool) -> None:
    """PS03: people without passwords are nobody's business outside."""
    config.Facility.demo = True
    facility = Facility(config=config)
    if safe:
        facility.require_safe_address(bind_url)
    else:
        with pytest.raises(ConfigurationError, match="bind_url"):
            facility.require_safe_address(bind_url)
    config.Facility.demo = False
    Facility(config=config).require_safe_address(bind_url)


# -- several places --------------------------------------------------------------------------------------------------


async def test_a_place_where_there_are_none(facility: Facility) -> None:
    with pytest.raises(Refused, match="There is no place large that you may use"):
        await facility.authorise(ANNA, LaunchRequest("lab", place="large"))
    assert (await facility.authorise(ANNA, LaunchRequest("lab"))).place == ""


async def test_a_place_is_decided_with_the_plan(config: Config) -> None:
    config.Places.places = {
        "admins": {"spawner": "sandbox", "roles": ["admin"], "default_for": {"applications": ["lab"]}},
        "far": {"spawner": "sandbox", "lacks_storage": ["/data/visitor"]},
        "here": {"spawner": "sandbox"},
    }
    config.RoleRules.admin_groups = ["ma"]
    facility = Facility(config=config)
    on_a_proposal = LaunchRequest("lab", "MA-4242", 1)
    assert (await facility.authorise(ANNA, on_a_proposal)).place == "admins"
    # a login that has not the role of its account
    withheld = frozenset({"admin"})
    assert (await facility.authorise(ANNA, on_a_proposal, withheld=withheld)).place == "here"
    assert (await facility.authorise(ANNA, LaunchRequest("lab"), withheld=withheld)).place == "far"
    with pytest.raises(Refused, match="There is no place admins that you may use"):
        await facility.authorise(ANNA, LaunchRequest("lab", place="admins"), withheld=withheld)
    with pytest.raises(Refused, match=r"far does not have the storage of ~/data\. Possible: here"):
        await facility.authorise(ANNA, LaunchRequest("lab", "MA-4242", 1, place="far"), withheld=withheld)
    person = await facility.account_of(ANNA)
    found = await facility.place_options(person, on_a_proposal, withheld=withheld)
    assert [(one.place.name, bool(one.problem)) for one in found] == [("far", True), ("here", False)]
