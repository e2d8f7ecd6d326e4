"""Settings of release 0.1.0 that have another name now: each is named with it, by the hub and by check-config."""

from __future__ import annotations

import pytest
from traitlets.config import Config, Configurable

from daas_hub.accounts.factories import SETTINGS
from daas_hub.accounts.sources.linked import LinkedAccounts
from daas_hub.facility import Facility
from daas_hub.policy import MountRules, RoleRules
from daas_hub.proposals.http_source import ProposalService
from daas_hub.proposals.sources import calipsoplus, icat, icatplus, ispyb, scicat, useroffice
from daas_hub.renamed_settings import RENAMED, new_name, renamed_settings

CLASSES: dict[str, type[Configurable]] = {
    one.__name__: one
    for one in (
        *SETTINGS,
        Facility,
        LinkedAccounts,
        MountRules,
        RoleRules,
        ProposalService,
        calipsoplus.CalipsoplusProposals,
        icat.IcatProposals,
        icatplus.IcatPlusProposals,
        ispyb.IspybProposals,
        scicat.SciCatProposals,
        useroffice.UserOfficeProposals,
    )
}
EVERY = [(section, name) for section, names in RENAMED.items() for name in names]


@pytest.mark.parametrize(("section", "name"), EVERY, ids=lambda one: one)
def test_each_new_name_is_a_setting_and_the_former_one_is_not(section: str, name: str) -> None:
    cls, _, now = new_name(section, name).partition(".")
    assert now in CLASSES[cls].class_traits(config=True)
    assert section not in CLASSES or name not in CLASSES[section].class_traits(config=True)


def test_only_what_is_set_is_reported_and_its_value_is_not_shown() -> None:
    config = Config()
    config.LdapAccounts.servers = ["ldaps://ldap.facility.org"]
    config.LdapAccounts.answer_s = 4242.0
    config.RoleRules.staff_groups = ["it"]
    config.LinkSettings.most_of_account = 3
    config.MountRules.more  # noqa: B018  # read only, as a file may do
    assert [str(one) for one in renamed_settings(config)] == [
        "LdapAccounts.answer_s = '(set)': has another name now Write LdapAccounts.timeout_s.",
        "LinkSettings.most_of_account = '(set)': has another name now Write LinkedAccounts.max_per_account.",
        "RoleRules.staff_groups = '(set)': has another name now Write RoleRules.role_groups = {\"staff\": [...]}.",
    ]
