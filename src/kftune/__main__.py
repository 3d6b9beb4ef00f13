"""``python -m kftune``."""

import sys

from kftune.cli import main

sys.exit(main())
