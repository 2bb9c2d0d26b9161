"""An application and its clients in process, for your tests; and proofs for plug-ins of your own."""

from sente.testing.binder import check_binder
from sente.testing.packers import check_packer
from sente.testing.registry import check_registry
from sente.testing.served import Received, Served, ServedClient

__all__ = ["Received", "Served", "ServedClient", "check_binder", "check_packer", "check_registry"]
