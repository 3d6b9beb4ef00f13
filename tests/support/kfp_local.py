"""A pipeline's KFP rendering, run on this machine by kfp's own `kfp.local` in containers.

kfp.local 2.17 differs from KFP's backend in four things without which no pipeline of container components that hand on
artifacts runs over podman, so they are put right here: exit codes, ENTRYPOINT, folders of outputs, artifacts.
"""

from __future__ import annotations

import builtins
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from kfp import components, local
from kfp.local import config, docker_task_handler, executor_input_utils, executor_output_utils

from kftune import yaml_text
from kftune.pipeline import Pipeline
from kftune.render.kfp import render_kfp


class KfpLocal:
    """Runs pipelines by kfp.local.

    Args:
        socket: An engine's API.
        folder: Where the runs' files go.
        as_root: Whether root in a container is who runs this, as in a rootless podman.
    """

    def __init__(self, socket: str, folder: Path, *, as_root: bool = False) -> None:
        self._socket = socket
        self._folder = folder
        self._user = "0:0" if as_root else f"{os.getuid()}:{os.getgid()}"

    def run(self, pipeline: Pipeline, *, knows_artifacts: bool = True, **given: Any) -> Path:
        """Runs a pipeline's rendering, and gives the folder of the run's files.

        Args:
            pipeline: The pipeline.
            knows_artifacts: Whether artifacts are put right too.
            given: Parameters of the run.

        Raises:
            RuntimeError: A step failed.
            ValueError: kfp.local cannot run it.
        """
        root = Path(tempfile.mkdtemp(dir=self._folder))
        component = components.load_component_from_text(yaml_text.dump_all(render_kfp(pipeline).documents))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", self._socket)
            # kfp.local indents what is printed by a print of its own, and leaves that there after steps in parallel.
            patch.setattr(builtins, "print", print)
            patch.setattr(config.LocalExecutionConfig, "instance", None)
            patch.setattr(docker_task_handler, "run_docker_container", _run_container)
            patch.setattr(executor_input_utils, "construct_executor_input", _with_folder)
            if knows_artifacts:
                patch.setattr(executor_output_utils, "add_type_to_executor_output", _with_artifacts)
            # kfp.local passes the command as the image's arguments; KFP's backend leaves the ENTRYPOINT out.
            runner = local.DockerRunner(entrypoint=[""], user=self._user, network_mode="none")
            local.init(runner, pipeline_root=str(root))
            component(**given)
        return root


def _run_container(client: Any, image: str, command: list[str], volumes: dict[str, Any], **options: Any) -> int:
    """Runs a container and gives its exit code.

    kfp.local's own lets the engine remove the container at its end and takes one that is gone for a success. podman's
    API has it gone at once: whatever fails seems to succeed, and the last line of output is lost.
    """
    container = client.containers.run(image=image, command=command, detach=True, volumes=volumes, **options)
    try:
        for piece in container.logs(stream=True, follow=True):
            print(piece.decode(), end="")  # noqa: T201  # as kfp.local does
        return int(container.wait()["StatusCode"])
    finally:
        container.remove(force=True)


_executor_input = executor_input_utils.construct_executor_input


def _with_folder(*, task_root: str, **rest: Any) -> Any:
    """What a task is told, with the folder of its outputs, which KFP's launcher makes and kfp.local does not.

    Source: kubeflow/pipelines, backend/src/v2/component/launcher_v2.go, prepareOutputFolders.
    """
    Path(task_root).mkdir(parents=True, exist_ok=True)
    return _executor_input(task_root=task_root, **rest)


def _with_artifacts(executor_input: Any, executor_output: Any) -> Any:
    """The output artifacts of a task: where KFP said that they lie, with what the container told of them.

    kfp.local knows an artifact only if the container tells its place. KFP's backend has given it that place, registers
    it whatever is told, and takes over what is.

    Source: kubeflow/pipelines, backend/src/v2/component/launcher_v2.go, uploadOutputArtifacts, mergeRuntimeArtifacts.
    """
    for name, given in executor_input.outputs.artifacts.items():
        told = list(executor_output.artifacts[name].artifacts)
        executor_output.artifacts[name].CopyFrom(given)
        for artifact in told:
            executor_output.artifacts[name].artifacts[0].metadata.MergeFrom(artifact.metadata)
    return executor_output
