"""Settings of the whole run: the number of examples, and the signals that processes of the tests receive.

`HYPOTHESIS_PROFILE=nightly` tries 10 000 examples of each property; the default is 60.
"""

from __future__ import annotations

import os
import signal

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

# A shell that starts the tests in the background, or nohup, ignores signals for all processes below it; the tests send
# these signals to the processes that they start. Python's handler is not inherited, so each child has the default.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler)
