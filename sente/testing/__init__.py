"""Proofs for plug-ins of your own: give one to its check, in a test."""

from sente.testing.packers import check_packer
from sente.testing.registry import check_registry

__all__ = ["check_packer", "check_registry"]
