"""The contract of a ``ChannelSocket`` for its readers: a page, and the AsyncAPI document."""

from sente.contract.page import ContractPage

__all__ = ["ContractPage"]
