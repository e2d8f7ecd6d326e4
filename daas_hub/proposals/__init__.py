"""Which proposals are whose: the contract, its providers, and a short memory of their answers."""

from daas_hub.proposals.cache import Answer, CachedProposals, Told
from daas_hub.proposals.chain import ChainedProposals
from daas_hub.proposals.model import (
    ContractChecks,
    NamedProposals,
    Page,
    PagedProposals,
    Proposal,
    ProposalSource,
    Query,
    TooManyProposals,
    Visit,
)
from daas_hub.proposals.sources.static import ProposalFile

__all__ = [
    "Answer",
    "CachedProposals",
    "ChainedProposals",
    "ContractChecks",
    "NamedProposals",
    "Page",
    "PagedProposals",
    "Proposal",
    "ProposalFile",
    "ProposalSource",
    "Query",
    "Told",
    "TooManyProposals",
    "Visit",
]
