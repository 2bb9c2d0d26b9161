"""How values become frames and back. One format, one library, one file."""

from sente.packers.compression import compressed
from sente.packers.dialects import Dialect
from sente.packers.negotiation import dialect, get
from sente.packers.sente_gzip import SenteGzip

__all__ = ["Dialect", "SenteGzip", "compressed", "dialect", "get"]
