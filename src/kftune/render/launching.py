"""What kftune's launcher creates on a cluster for a step: an object that runs in other pods, and its command line.

The object is rendered before the run's values are known, so it holds a mark for each of them. The launcher replaces the
marks with the values, quoted for the shell of those pods.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from kftune.argv import to_arguments
from kftune.errors import RenderError
from kftune.pipeline import EXECUTOR_OUTPUT, Argument, FixedValue, Node
from kftune.render.command import quoted
from kftune.spec.pod import Volume

_MARK = re.compile("@kftune(-text)?:([A-Za-z0-9_.-]+)@")


class Launching(NamedTuple):
    """What the launcher creates for a step, and what it fills in."""

    node: Node
    """The step; its container is that of the launcher."""
    flag: Literal["experiment", "job"]
    """The launcher's argument that the object is."""
    object: dict[str, Any]
    """The object, with marks."""
    run_values: tuple[str, ...]
    """The step's arguments whose texts replace their marks."""
    artifacts: tuple[str, ...]
    """The step's artifact arguments, which other pods read from the shared volume; their paths replace the marks."""
    outputs: tuple[str, ...]
    """What the launcher writes."""
    share: str | None
    """The path of the shared volume in the launcher and the other pods."""
    further: Mapping[str, str]
    """More arguments of the launcher."""
    notes: list[str]
    """Notes for the user; each starts with the step's name."""

    @property
    def text(self) -> str:
        """The object as one JSON text that no engine changes."""
        return wire(self.object)

    def command(self, text: str, run_id: str, values: Mapping[str, str]) -> list[str]:
        """Returns the launcher's command line.

        Args:
            text: The object's text as the target writes it, or the path of a file that holds it.
            run_id: Identifies this run of the step, also when the step is retried; the object's name contains it.
            values: Argument or output of the step -> its text, path, or the target's placeholder.
        """
        arguments = {
            self.flag: text,
            "run-id": run_id,
            **self.further,
            **{f"value-{name}": values[name] for name in self.run_values},
            **{f"artifact-{name}": values[name] for name in self.artifacts},
            **({} if self.share is None else {"share": self.share}),
            **{f"output-{name}": values[name] for name in self.outputs if name != EXECUTOR_OUTPUT},
            **({EXECUTOR_OUTPUT: values[EXECUTOR_OUTPUT]} if EXECUTOR_OUTPUT in self.outputs else {}),
        }
        return ["python", "-m", "kftune.launcher", *to_arguments(arguments)]


def wire(value: Any) -> str:
    """Writes compact JSON in which escapes replace variables of the kubelet and tags of Argo."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("$", "\\u0024").replace("{{", "\\u007b\\u007b")


def mark(name: str) -> str:
    """Returns the placeholder for a text that only the run knows: safe in a shell, and unlike any real value."""
    return f"@kftune:{name}@"


def text_mark(name: str) -> str:
    """Returns the placeholder for a text that only the run knows, where no shell reads it."""
    return f"@kftune-text:{name}@"


def put_in(value: Any, texts: Mapping[str, str]) -> Any:
    """Replaces the marks in an object, or in a part of it, with the run's texts.

    Args:
        value: Any JSON value; it holds marks only where a shell reads them, and text marks elsewhere.
        texts: Argument -> its text.
    """
    if isinstance(value, str):
        return _MARK.sub(lambda found: _text(found, texts), value)
    if isinstance(value, dict):
        return {key: put_in(inner, texts) for key, inner in value.items()}
    return [put_in(inner, texts) for inner in value] if isinstance(value, list) else value


def _text(found: re.Match[str], texts: Mapping[str, str]) -> str:
    kind, name = found.groups()
    if name not in texts:
        return found[0]
    return texts[name] if kind else quoted(texts[name])


def texts_of(arguments: Mapping[str, Argument]) -> dict[str, str]:
    """Returns the text of each argument, or its mark if only the run knows it."""
    return {
        name: argument.source.text if isinstance(argument.source, FixedValue) else mark(name)
        for name, argument in arguments.items()
    }


def artifacts_of(arguments: Mapping[str, Argument]) -> tuple[str, ...]:
    """Returns the arguments that are artifacts."""
    return tuple(name for name, argument in arguments.items() if argument.is_artifact)


def run_values_of(arguments: Mapping[str, Argument]) -> tuple[str, ...]:
    """Returns the arguments whose texts only the run knows."""
    return tuple(
        name
        for name, argument in arguments.items()
        if not argument.is_artifact and not isinstance(argument.source, FixedValue)
    )


def shared_volume(node: Node, passed: Sequence[str], who: str) -> Volume | None:
    """Returns the volume through which other pods share files with the launcher; None if they need none.

    Args:
        node: The step.
        passed: The inputs and outputs that are files.
        who: The other pods, for the error.

    Raises:
        RenderError: There is no such volume.
    """
    if not passed:
        return None
    volume = next((volume for volume in node.step.volumes if volume.name == node.step.share), None)
    if volume is None:
        raise RenderError(
            f"{who} of step {node.name!r} run in other pods, which share {passed[0]} with it only on a volume with a "
            f"claim; add one to volumes, and name it in share"
        )
    return volume
