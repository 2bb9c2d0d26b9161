"""The reference example: a lobby to chat in. ``sente demo`` runs it; the code to read is ``lobby`` and ``app``."""

from sente.demo.app import create_app

__all__ = ["create_app"]
