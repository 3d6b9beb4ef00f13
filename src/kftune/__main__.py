"""``python -m kftune``."""

import signal
import sys
from types import FrameType

from kftune.cli import main


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if not sys.flags.safe_path:
    del sys.path[0]  # the current folder, which may have files with the names of packages
# A signal does not end the first process of a container unless the process handles it.
signal.signal(signal.SIGTERM, _end)
sys.exit(main())
