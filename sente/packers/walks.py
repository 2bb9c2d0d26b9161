"""The compiled part of the packers, where there is one.

It is built with the package where there is a C compiler, and nothing needs it: it makes the same of the same values,
sooner. With ``SENTE_PURE=1`` in the environment it is left alone.
"""

import os

try:
    from sente.packers import _walks
except ImportError:  # no compiler was there
    _walks = None  # type: ignore[assignment]

compiled = None if os.environ.get("SENTE_PURE") else _walks
"""``None``: all is done in Python."""

MARKED, INEXACT, BIG, OTHER = 1, 2, 4, 8
"""What there is in a value: strings that begin with ``~``, ``^`` or a backtick; whole numbers beyond 2^53; numbers
beyond 64 bit; a type, a key or a number that JSON has no word for, or too many levels."""
