"""What ``app:chsk`` on a command line names."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from sente.channel_socket import ChannelSocket
from sente.errors import ConfigError
from sente.events import EventRegistry


def registry_at(target: str) -> EventRegistry:
    """The registry that ``module:name`` names, or the one of the ``ChannelSocket`` that it names.

    Raises:
        ConfigError: there is none; says what there is instead.
    """
    found = _imported(target)
    if isinstance(found, ChannelSocket):
        found = found._typed.registry
        if not isinstance(found, EventRegistry):
            raise ConfigError(f"{target}: this ChannelSocket has no EventRegistry: give it one as events=")
    if not isinstance(found, EventRegistry):
        raise ConfigError(f"{target} is a {type(found).__name__}: name a ChannelSocket or an EventRegistry")
    return found


def _imported(target: str) -> Any:
    module, colon, path = target.partition(":")
    if not (module and colon and path):
        raise ConfigError(f"{target!r}: give MODULE:NAME, like app:chsk")
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` and the servers have it
    try:
        found: Any = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as error:  # whatever the module of the application raises
        raise ConfigError(f"{target}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return found
