"""The garbage collector as docs/guides/deployment.md sets it."""

import gc


def calm() -> None:
    """What is there stays, and is not looked at again; and a look at everything is rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
