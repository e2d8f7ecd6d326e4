"""Proposals from SciCat."""

from daas_hub.proposals.sources.scicat.queries import PAGE
from daas_hub.proposals.sources.scicat.source import SciCatProposals

__all__ = ["PAGE", "SciCatProposals"]
