"""Names that every engine takes: what a renderer could not write is refused when the pipeline is read."""

from __future__ import annotations

import keyword
import re
from typing import Annotated

from pydantic import AfterValidator

from kftune.spec.part import PartError

# An Argo node's name, which ends up in pod names, is made of the workflow's, the step's and a hash: 63 in all.
LONGEST_STEP = 40
# A CronWorkflow puts 11 characters behind its name, and the result is a label.
LONGEST_PIPELINE = 52
LONGEST_PORT = 63

_STEP = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_PORT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Source: YAML 1.1, type bool and null; Kubernetes' readers follow it, and KFP's compiler writes these unquoted.
_YAML_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def _name(value: str, what: str, longest: int) -> str:
    if len(value) > longest or _STEP.fullmatch(value) is None:
        raise PartError(
            f"{what} is at most {longest} lower-case letters, digits and '-', begins with a letter and does not end "
            f"with '-', but got {value!r}",
        )
    return value


def step_name(value: str) -> str:
    """`value`, if it can name a step on every target.

    Raises:
        PartError: It cannot.
    """
    return _name(value, "the name of a step", LONGEST_STEP)


def pipeline_name(value: str) -> str:
    """`value`, if it can name a pipeline on every target."""
    return _name(value, "the name of a pipeline", LONGEST_PIPELINE)


def loop_name(value: str) -> str:
    """`value`, if it can name a loop, which becomes a step of its own on a cluster."""
    return _name(value, "the name of a loop", LONGEST_STEP)


def port_name(value: str) -> str:
    """`value`, if it can name an input, an output, a parameter or a field of an item on every target.

    Raises:
        PartError: It cannot.
    """
    if len(value) > LONGEST_PORT or _PORT.fullmatch(value) is None:
        raise PartError(
            f"a name of an input, output, parameter or field is at most {LONGEST_PORT} letters, digits and '_' and "
            f"begins with a letter, but got {value!r}",
        )
    if value.lower() in _YAML_WORDS:
        raise PartError(
            f"a name must not be {value!r}, which YAML readers on a cluster take for true, false or null; "
            f"write it out, for example {value}_value",
        )
    if keyword.iskeyword(value):
        raise PartError(f"a name must not be {value!r}, a word of Python's own; for example {value}_value")
    return value


def plain(name: str) -> str:
    """A name with dots (``best.optimizer.lr``) in letters, digits and ``_`` only, for targets that take no others."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def flag(name: str) -> str:
    """What a name is on a command line, where ``-`` and ``_`` are the same."""
    return name.replace("-", "_")


StepName = Annotated[str, AfterValidator(step_name)]
LoopName = Annotated[str, AfterValidator(loop_name)]
PipelineName = Annotated[str, AfterValidator(pipeline_name)]
PortName = Annotated[str, AfterValidator(port_name)]
