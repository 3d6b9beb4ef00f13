"""Renders an experiment list as a Katib Experiment: a grid over one choice, and a ConfigMap with the experiments.

Each trial gets ``--config=FILE``, where the name of the file is that of its experiment. A class of hyperparameters
reads that argument itself (`Hparams.from_args`), so the image needs nothing but the script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kftune import yaml_text
from kftune.errors import RenderError
from kftune.experiments.entries import NAME, Experiment
from kftune.experiments.file import Experiments
from kftune.experiments.study import PRESET, study_of
from kftune.hparams.fields import put
from kftune.render import Rendering, render
from kftune.render.names import object_name
from kftune.spec.pod import Volume

FOLDER = "/etc/kftune/experiments"
"""Where a container finds the files."""

_PLACEHOLDER = f"${{trialParameters.{PRESET}}}"
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VOLUME = "kftune-experiments"
# Kubernetes' limit of a ConfigMap, less what its other fields may take.
_MOST_BYTES = 1_000_000


def render_list(listed: Experiments, keys: Sequence[str] | None = None, *, parallel: int = 1) -> Rendering:
    """Renders the manifests that run a list.

    Args:
        listed: The list.
        keys: The names of its experiments; None for all.
        parallel: How many run at the same time.

    Raises:
        ConfigurationError: A name is unknown.
        RenderError: Katib cannot run the list; the message says what, why and what works.
    """
    chosen = listed.chosen(keys)
    _check(listed, chosen)
    own = object_name(f"{listed.file.katib.name or object_name(listed.name)}-experiments", 200)
    volume = Volume(name=_VOLUME, mount=FOLDER, config_map=own, read_only=True)
    step = listed.file.step.model_copy(update={"volumes": (*listed.file.step.volumes, volume)})
    rendering = render(study_of(listed, chosen, step, parallel))
    experiment = _with_config(rendering.documents[0])
    metadata = {"name": own}
    if "namespace" in experiment["metadata"]:
        metadata["namespace"] = experiment["metadata"]["namespace"]
    files = {f"{each.name}.yaml": yaml_text.dump(_values(each)) for each in chosen}
    if sum(map(len, files.values())) > _MOST_BYTES:
        raise RenderError(
            f"a ConfigMap holds {_MOST_BYTES} bytes, and these experiments need more; render fewer of them"
        )
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files}
    notes = [*rendering.notes]
    if step.module != "kftune.training":
        notes.append(
            f"each trial gets --config={FOLDER}/NAME.yaml, which {listed.file.hparams.__name__}.from_args() reads"
        )
    return Rendering([config_map, experiment], notes)


def _check(listed: Experiments, chosen: Sequence[Experiment]) -> None:
    if len(chosen) < 2:
        raise RenderError("Katib chooses among two or more experiments; render more of them, or run the one as a step")
    if listed.file.step.arguments is not None:
        raise RenderError(
            "on Katib an experiment is a file that the script reads (--config), which a script with step.arguments "
            "does not; run the list on this machine, or let the script read its class with from_args"
        )
    if "config" in listed.file.hparams.leaves():
        name = listed.file.hparams.__name__
        raise RenderError(f"on Katib an experiment is a file (--config), but config is a hyperparameter of {name}")
    for each in chosen:
        if not _KEY.fullmatch(each.name):
            raise RenderError(
                f"on Katib the name of an experiment is that of a file in a ConfigMap: letters, digits, '-', '_' and "
                f"'.', but is {each.name!r}"
            )


def _values(experiment: Experiment) -> dict[str, Any]:
    """Returns the hyperparameters of an experiment as its file has them."""
    leaves, values = experiment.hparams.leaves(), dict[str, Any]()
    for name, value in experiment.given.items():
        put(values, leaves[name].path, value)
    if NAME in leaves:
        values[NAME] = experiment.name
    return values


def _with_config(value: Any) -> Any:
    """Returns a manifest in which trials get the file of the preset, in place of its name."""
    if isinstance(value, dict):
        return {key: _with_config(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_config(inner) for inner in value]
    if isinstance(value, str):
        return value.replace(f"--{PRESET}={_PLACEHOLDER}", f"--config={FOLDER}/{_PLACEHOLDER}.yaml")
    return value
