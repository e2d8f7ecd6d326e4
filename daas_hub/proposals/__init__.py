"""Which proposals an account may see: the contract, its sources, and a cache of their answers."""

from daas_hub.proposals.answers import ProposalsAnswer, SourceAnswer
from daas_hub.proposals.cache import CachedProposals
from daas_hub.proposals.chain import ChainedProposals
from daas_hub.proposals.model import (
    ContractChecks,
    LeftOut,
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
    "CachedProposals",
    "ChainedProposals",
    "ContractChecks",
    "LeftOut",
    "NamedProposals",
    "Page",
    "PagedProposals",
    "Proposal",
    "ProposalFile",
    "ProposalSource",
    "ProposalsAnswer",
    "Query",
    "SourceAnswer",
    "TooManyProposals",
    "Visit",
]
