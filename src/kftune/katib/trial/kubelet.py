"""Expands `$(NAME)` in a container's command, args and variables as the kubelet does.

Source: k8s.io/kubernetes, third_party/forked/golang/expansion/expand.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)", re.DOTALL)


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Replaces the references in a text; `$$` becomes `$`, and a reference to an unknown name stays.

    Args:
        text: One item of command or args, or a variable's value.
        variables: Name -> value.
    """
    end = text.rfind(")") + 1  # behind it, no reference ends
    begin = _REFERENCE.sub(lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0]), text[:end])
    return begin + text[end:].replace("$$", "$")
