"""`$(NAME)` in a container's command, args and variables, as the kubelet expands it.

Source: k8s.io/kubernetes, third_party/forked/golang/expansion/expand.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)", re.DOTALL)


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """A text with its references replaced; `$$` is one `$`, and an unknown name stays as it is written.

    Args:
        text: A word of command or args, or a variable's value.
        variables: Name -> value.
    """
    return _REFERENCE.sub(lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0]), text)


def expanded_variables(given: Iterable[tuple[str, str]], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """A container's variables; a value may name those that stand above it.

    Args:
        given: (name, value) in their order.
        before: Variables that are there already, such as those of envFrom.
    """
    variables = dict(before or {})
    for name, value in given:
        variables[name] = expanded(value, variables)
    return variables
