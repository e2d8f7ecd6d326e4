"""Which proposals are whose: the contract, its providers, and a short memory of their answers."""

from daas_hub.proposals.cache import RememberedProposals
from daas_hub.proposals.records import Proposal, ProposalSource, Visit
from daas_hub.proposals.static import ProposalFile

__all__ = ["Proposal", "ProposalFile", "ProposalSource", "RememberedProposals", "Visit"]
