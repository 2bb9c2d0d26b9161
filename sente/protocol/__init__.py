"""The session as pure state machines: no I/O, no clock, no randomness, no logging.

Inputs take ``now`` (seconds of any monotonic clock); work goes out as actions, collected with ``take_actions()`` after
each input; ``next_timer()`` says when ``handle_timer(now)`` wants to be called. The rules are those of
``docs/reference/protocol.md``; section numbers in the docstrings refer to it.

==================  ====================================================================
``messages``        what travels: plain lists <-> packets
``outbox``          ``Outbox``: numbered, kept until acknowledged, bounded
``inbox``           ``Inbox``: each number once, in order
``actions``         what a session asks its driver to do
``conversation``    what both sides of a session do alike: outbox, inbox, acknowledgements
``contract``        which version of the typed events each side has
``greeting``        welcome, hello, the handshake's info
``server_session``  one client as the server sees it
``sessions``        which session a hello continues, and what is told of one that is gone
``client_session``  the same conversation from the client: requests, reconnects
``requests``        the client's requests, each with one outcome
``client_lines``    the links a client has in use
``route``           which transport a client tries next, and after how long
``client_state``    what an application sees of its connection
``framing``         the body of an HTTP exchange
``backoff``         how long to wait before the next attempt
``settings``        every time and limit with its default and the reason for it
==================  ====================================================================
"""
