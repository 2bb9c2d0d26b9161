"""Realtime channel sockets: one small API over WebSocket and long-polling; Sente for Python."""

from sente.channel_socket import ChannelSocket
from sente.client import Change, Client, ClientState, Closed, Event
from sente.dispatch import Message
from sente.errors import (
    BrokerError,
    ConfigError,
    Disconnected,
    EventError,
    InvalidEvent,
    OutboxFull,
    PackError,
    ProtocolError,
    Rejected,
    RequestError,
    RequestFailed,
    RequestTimeout,
    SenteError,
    UnknownEvent,
    UnpackError,
)
from sente.events import EventContract, EventRegistry, latest
from sente.interfaces import ANONYMOUS, Broker, HandlerBinder, Packer, Registry, Request
from sente.packers.handlers import TypeHandler
from sente.presence import ConnectedUids
from sente.protocol.contract import ContractDifference
from sente.protocol.rates import Rates
from sente.protocol.settings import AckPolicy, ClientSettings, Limits, ServerSettings
from sente.publisher import Publisher
from sente.receipts import Delivered, Receipt
from sente.security import allow_origin, csrf_token, valid_csrf_token
from sente.stats import Gauges, Stats
from sente.telemetry import Telemetry
from sente.trace import Note
from sente.transports.asgi import Connection
from sente.transports.gate import Refusal
from sente.values import Char, Extension, Keyword, Symbol, TaggedValue, Uri

__all__ = [
    "ANONYMOUS",
    "AckPolicy",
    "Broker",
    "BrokerError",
    "Change",
    "ChannelSocket",
    "Char",
    "Client",
    "ClientSettings",
    "ClientState",
    "Closed",
    "ConfigError",
    "ConnectedUids",
    "Connection",
    "ContractDifference",
    "Delivered",
    "Disconnected",
    "Event",
    "EventContract",
    "EventError",
    "EventRegistry",
    "Extension",
    "Gauges",
    "HandlerBinder",
    "InvalidEvent",
    "Keyword",
    "Limits",
    "Message",
    "Note",
    "OutboxFull",
    "PackError",
    "Packer",
    "ProtocolError",
    "Publisher",
    "Rates",
    "Receipt",
    "Refusal",
    "Registry",
    "Rejected",
    "Request",
    "RequestError",
    "RequestFailed",
    "RequestTimeout",
    "SenteError",
    "ServerSettings",
    "Stats",
    "Symbol",
    "TaggedValue",
    "Telemetry",
    "TypeHandler",
    "UnknownEvent",
    "UnpackError",
    "Uri",
    "allow_origin",
    "csrf_token",
    "latest",
    "valid_csrf_token",
]
