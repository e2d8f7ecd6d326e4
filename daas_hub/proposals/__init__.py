"""Which proposals are whose: the contract, its providers, and a short memory of their answers."""

from daas_hub.proposals.cache import Answer, RememberedProposals
from daas_hub.proposals.chain import ChainedProposals
from daas_hub.proposals.records import Proposal, ProposalSource, Visit
from daas_hub.proposals.static import ProposalFile

__all__ = ["Answer", "ChainedProposals", "Proposal", "ProposalFile", "ProposalSource", "RememberedProposals", "Visit"]
