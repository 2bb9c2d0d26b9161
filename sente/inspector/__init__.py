"""A read-only page that shows a running ``ChannelSocket``: clients, what travels, what is refused."""

from sente.inspector.inspector import Inspector

__all__ = ["Inspector"]
