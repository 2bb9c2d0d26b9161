"""Proofs for plug-ins of your own: give one to its check, in a test."""

from sente.testing.packers import check_packer

__all__ = ["check_packer"]
