"""Which proposals are whose: the contract, its providers, and a short memory of their answers."""

from daas_hub.proposals.cache import Answer, RememberedProposals, Told
from daas_hub.proposals.chain import ChainedProposals
from daas_hub.proposals.model import (
    NamedProposals,
    Page,
    PagedProposals,
    Proposal,
    ProposalSource,
    Query,
    TellsContract,
    TooManyProposals,
    Visit,
)
from daas_hub.proposals.sources.static import ProposalFile

__all__ = [
    "Answer",
    "ChainedProposals",
    "NamedProposals",
    "Page",
    "PagedProposals",
    "Proposal",
    "ProposalFile",
    "ProposalSource",
    "Query",
    "RememberedProposals",
    "TellsContract",
    "Told",
    "TooManyProposals",
    "Visit",
]
