"""How values become frames and back. One format, one library, one file."""

from sente.packers.negotiation import get
from sente.packers.sente_gzip import SenteGzip

__all__ = ["SenteGzip", "get"]
