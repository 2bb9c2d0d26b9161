"""The client: ``client`` is its API, ``driver`` carries out what the session core asks for.

=============  =============================================================
``client``     ``Client``, the façade
``driver``     links, exchanges, timer, goodbye
``endpoint``   where the server is, and what it is told with each attempt
``frames``     events packed once, when they are said
``streams``    handlers, ``events()`` and ``state_changes()``
=============  =============================================================
"""

from sente.client.client import Client
from sente.client.streams import Change
from sente.protocol.client_state import ClientState, Closed
from sente.protocol.messages import Event

__all__ = ["Change", "Client", "ClientState", "Closed", "Event"]
