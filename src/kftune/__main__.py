"""``python -m kftune``."""

import signal
import sys
from types import FrameType

from kftune.cli import main


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


# The first process of a container is not ended by a signal that it does not handle.
signal.signal(signal.SIGTERM, _end)
sys.exit(main())
