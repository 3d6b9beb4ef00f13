"""Names that are valid on every target; others are rejected when the pipeline is read."""

from __future__ import annotations

import keyword
import re
from functools import partial
from typing import Annotated

from pydantic import AfterValidator

from kftune.katib.go.names import DNS_1035
from kftune.spec.part import PartError

# Argo makes pod names of at most 63 characters of the workflow's name, the step's name and a hash.
LONGEST_STEP = 40
# A CronWorkflow appends 11 characters to its name, and the result is a label.
LONGEST_PIPELINE = 52
LONGEST_PORT = 63

_PORT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Source: YAML 1.1, types bool and null. Kubernetes reads YAML 1.1, and KFP's compiler writes these without quotes.
_YAML_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def _name(value: str, what: str, longest: int) -> str:
    if len(value) > longest or DNS_1035.fullmatch(value) is None:
        raise PartError(
            f"{what} is at most {longest} lower-case letters, digits and '-', begins with a letter and does not end "
            f"with '-', but got {value!r}",
        )
    return value


def port_name(value: str) -> str:
    """Returns `value`, the name of an input, an output, a parameter or a field of an item.

    Raises:
        PartError: It is not valid on every target.
    """
    if len(value) > LONGEST_PORT or _PORT.fullmatch(value) is None:
        raise PartError(
            f"a name of an input, output, parameter or field is at most {LONGEST_PORT} letters, digits and '_' and "
            f"begins with a letter, but got {value!r}",
        )
    if value.lower() in _YAML_WORDS:
        raise PartError(
            f"a name cannot be {value!r}, which YAML readers on a cluster take for true, false or null; "
            f"for example {value}_value",
        )
    if keyword.iskeyword(value):
        raise PartError(f"a name cannot be {value!r}, a keyword of Python; for example {value}_value")
    return value


def plain(name: str) -> str:
    """Returns a name with dots (``best.optimizer.lr``) in letters, digits and ``_`` only, as some targets need it."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def flag(name: str) -> str:
    """Returns a name as command lines compare it: ``-`` and ``_`` are the same."""
    return name.replace("-", "_")


StepName = Annotated[str, AfterValidator(partial(_name, what="the name of a step", longest=LONGEST_STEP))]
# A loop becomes a step on a cluster.
LoopName = Annotated[str, AfterValidator(partial(_name, what="the name of a loop", longest=LONGEST_STEP))]
PipelineName = Annotated[str, AfterValidator(partial(_name, what="the name of a pipeline", longest=LONGEST_PIPELINE))]
PortName = Annotated[str, AfterValidator(port_name)]
