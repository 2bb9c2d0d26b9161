"""What all tests share."""

import os

from hypothesis import Phase, settings

# A shared machine may be slow at any moment, so no example has a deadline; a failure prints how to repeat it.
settings.register_profile("default", max_examples=100, deadline=None, print_blob=True, derandomize=False)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=5_000)
found = (Phase.explicit, Phase.generate)  # that there is an example is enough: it is not made smaller
settings.register_profile("unshrunk", settings.get_profile("default"), phases=found, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
