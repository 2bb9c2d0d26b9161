"""``python -m sente.cli``: the same as ``sente``."""

from sente.cli import main

raise SystemExit(main())
