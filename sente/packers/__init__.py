"""How values become frames and back. One format, one library, one file."""

from sente.packers.negotiation import get

__all__ = ["get"]
