"""Words of a command that need no parsing."""

from __future__ import annotations

import re
from collections.abc import Sequence

OWN_SHELLS = ("sh", "bash")
"""The shells that Katib recognises, written exactly so."""

HARMLESS = re.compile(r"[A-Za-z0-9_./:,@%+^=-]+")
"""A word that every shell passes on unchanged."""


def is_script(words: Sequence[str]) -> bool:
    """Returns whether Katib recognises a command as a shell with a script: `sh -c` or `bash -c`."""
    return len(words) > 1 and words[0] in OWN_SHELLS and words[1] == "-c"
