"""Runs a pipeline rendered for KFP on this machine, with `kfp.local` in containers.

kfp.local 2.17 differs from KFP's backend in four things: exit codes, ENTRYPOINT, folders of outputs, artifacts. This
module corrects them, because a pipeline of container components with artifacts does not run over podman without them.
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
    """Runs pipelines with kfp.local.

    Args:
        socket: The address of an engine's API.
        folder: The folder for the files of the runs.
        as_root: Whether root in a container is the user who runs this, as in a rootless podman.
    """

    def __init__(self, socket: str, folder: Path, *, as_root: bool = False) -> None:
        self._socket = socket
        self._folder = folder
        self._user = "0:0" if as_root else f"{os.getuid()}:{os.getgid()}"

    def run(self, pipeline: Pipeline, *, knows_artifacts: bool = True, **given: Any) -> Path:
        """Runs a rendered pipeline. Returns the folder with the files of the run.

        Args:
            pipeline: The pipeline.
            knows_artifacts: Whether to correct artifacts too.
            given: Parameters of the run.

        Raises:
            RuntimeError: A step failed.
            ValueError: kfp.local cannot run it.
        """
        root = Path(tempfile.mkdtemp(dir=self._folder))
        component = components.load_component_from_text(yaml_text.dump_all(render_kfp(pipeline).documents))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", self._socket)
            # kfp.local replaces print to indent output, and does not restore it after parallel steps.
            patch.setattr(builtins, "print", print)
            patch.setattr(config.LocalExecutionConfig, "instance", None)
            patch.setattr(docker_task_handler, "run_docker_container", _run_container)
            patch.setattr(executor_input_utils, "construct_executor_input", _with_folder)
            if knows_artifacts:
                patch.setattr(executor_output_utils, "add_type_to_executor_output", _with_artifacts)
            # kfp.local passes the command as the image's arguments; KFP's backend ignores the ENTRYPOINT.
            runner = local.DockerRunner(entrypoint=[""], user=self._user, network_mode="none")
            local.init(runner, pipeline_root=str(root))
            component(**given)
        return root


def _run_container(client: Any, image: str, command: list[str], volumes: dict[str, Any], **options: Any) -> int:
    """Runs a container and returns its exit code.

    kfp.local's function lets the engine remove the container at its end, and treats a missing container as a success.
    podman's API removes it immediately: a failure looks like a success, and the last line of output is lost.
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
    """Returns the executor input of a task, and creates the folder of its outputs, as KFP's launcher does.

    Source: kubeflow/pipelines, backend/src/v2/component/launcher_v2.go, prepareOutputFolders.
    """
    Path(task_root).mkdir(parents=True, exist_ok=True)
    return _executor_input(task_root=task_root, **rest)


def _with_artifacts(executor_input: Any, executor_output: Any) -> Any:
    """Returns the output artifacts of a task: at the path that KFP gave, with the metadata that the container reported.

    kfp.local finds an artifact only if the container reports its path. KFP's backend knows the path, registers the
    artifact in any case, and adds the reported metadata.

    Source: kubeflow/pipelines, backend/src/v2/component/launcher_v2.go, uploadOutputArtifacts, mergeRuntimeArtifacts.
    """
    for name, given in executor_input.outputs.artifacts.items():
        told = list(executor_output.artifacts[name].artifacts)
        executor_output.artifacts[name].CopyFrom(given)
        for artifact in told:
            executor_output.artifacts[name].artifacts[0].metadata.MergeFrom(artifact.metadata)
    return executor_output
