"""An application and its clients in process, a lab of faults, for your tests; and proofs for plug-ins of your own."""

from sente.testing.binder import check_binder
from sente.testing.books import assert_no_loss, assert_ordered
from sente.testing.broker import check_broker
from sente.testing.clock import FakeClock
from sente.testing.faults import GOOD, Cut, Delay, Fault, Faults, Jump, Plan, Repeat, Script, Silence, Slow
from sente.testing.packers import check_packer
from sente.testing.pair import ChskPair, Question
from sente.testing.proxy import FaultProxy
from sente.testing.registry import check_registry
from sente.testing.served import Received, Served, ServedClient

__all__ = [
    "GOOD",
    "ChskPair",
    "Cut",
    "Delay",
    "FakeClock",
    "Fault",
    "FaultProxy",
    "Faults",
    "Jump",
    "Plan",
    "Question",
    "Received",
    "Repeat",
    "Script",
    "Served",
    "ServedClient",
    "Silence",
    "Slow",
    "assert_no_loss",
    "assert_ordered",
    "check_binder",
    "check_broker",
    "check_packer",
    "check_registry",
]
