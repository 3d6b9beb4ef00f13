"""How many examples a property is tried on: `HYPOTHESIS_PROFILE=nightly` tries 10 000, else 60."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: a first call may pay for an import. The blob in a failure's output replays it anywhere.
settings.register_profile("default", max_examples=60, deadline=None, print_blob=True)
settings.register_profile(
    "nightly",
    parent=settings.get_profile("default"),
    max_examples=10_000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
