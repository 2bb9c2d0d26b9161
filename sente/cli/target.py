"""What ``app:chsk`` on a command line names."""

import os
import sys
from importlib import import_module
from typing import Any, Final

from sente.channel_socket import ChannelSocket
from sente.errors import ConfigError
from sente.events import EventRegistry

TARGET: Final = "module:name of a ChannelSocket or an EventRegistry"


def registry_at(target: str) -> EventRegistry:
    """The registry that ``target`` names, or the one of the ``ChannelSocket`` that it names.

    Raises:
        ConfigError: there is none; says what there is instead.
    """
    found = imported(target)
    if isinstance(found, ChannelSocket):
        found = found._typed.registry
        if not isinstance(found, EventRegistry):
            raise ConfigError(f"{target}: this ChannelSocket has no EventRegistry: give it one as events=")
    if not isinstance(found, EventRegistry):
        raise ConfigError(f"{target} is a {type(found).__name__}: give {TARGET}")
    return found


def imported(target: str) -> Any:
    """What ``module:name`` names, ``name`` with dots in it, too."""
    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise ConfigError(f"{target!r}: give {TARGET}, like app:chsk")
    sys.path.insert(0, os.getcwd())  # as `python -m` has it: it is mostly a file right here
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever happens in the module
        raise ConfigError(f"{target}: {type(error).__name__}: {error}") from error
    return found
