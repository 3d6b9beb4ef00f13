"""Prepares the run of a pipeline on this machine, for `kftune run`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

from kftune.cli.output import terminal
from kftune.cli.places import new_results
from kftune.errors import UsageError

if TYPE_CHECKING:
    from kftune.local.study.events import OnEvent


def prepared(
    arguments: argparse.Namespace,
) -> tuple[Callable[[OnEvent], int], Callable[[], AbstractContextManager[OnEvent]]]:
    """Returns what runs a pipeline, and what makes the view of it.

    Raises:
        UsageError: An argument is invalid.
        PipelineError: The pipeline is invalid.
    """
    from kftune.local.pipeline import run_pipeline
    from kftune.local.pipeline.settings import read_parameters
    from kftune.local.views import pipeline_view
    from kftune.pipeline import Pipeline, load_pipeline

    if arguments.parallel is not None and arguments.parallel < 1:
        raise UsageError(f"--parallel must be at least 1, but got {arguments.parallel}")
    changes = [text for text in arguments.settings if "." in text.partition("=")[0] or text.startswith("~")]
    pipeline = load_pipeline(arguments.file, changes)
    rest = [text for text in arguments.settings if text not in changes]
    # A parameter has precedence over a key of the file, such as timeout.
    keys = [text for text in rest if text.partition("=")[0] in Pipeline.model_fields.keys() - pipeline.run_parameters]
    if keys:
        pipeline = load_pipeline(arguments.file, [*changes, *keys])
    parameters = read_parameters(pipeline, [text for text in rest if text not in keys])
    folder = new_results(arguments.dir, arguments.file, pipeline.name)
    runtime: Literal["process", "container"] = arguments.runtime or "process"

    def go(on_event: OnEvent) -> int:
        return run_pipeline(
            pipeline,
            folder,
            parameters,
            pipeline_path=arguments.file,
            runtime=runtime,
            images=_images(arguments.image, pipeline.targets.local.images if runtime == "container" else {}),
            parallel=arguments.parallel,
            on_event=on_event,
            fresh=arguments.fresh,
        ).exit_code

    return go, lambda: pipeline_view(terminal(), plain=arguments.plain)


def _images(given: list[str], of_file: Mapping[str, str]) -> dict[str, str]:
    """Returns the image to run in place of each; an image for the key "" replaces all, also those of the file."""
    found = {name: image for name, _, image in (text.rpartition("=") for text in given)}
    return found if "" in found else {**of_file, **found}
