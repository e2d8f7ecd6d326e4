"""What the administrator decides: mounts, roles, places, and the account a session runs as."""

from daas_hub.policy.end_dates import EndDates
from daas_hub.policy.lifetime_settings import Lifetimes
from daas_hub.policy.mount_settings import MountRules
from daas_hub.policy.place_settings import Places
from daas_hub.policy.proposal_accounts import ProposalAccounts
from daas_hub.policy.role_rules import RoleRules

__all__ = ["EndDates", "Lifetimes", "MountRules", "Places", "ProposalAccounts", "RoleRules"]
