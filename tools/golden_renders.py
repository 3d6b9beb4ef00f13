"""Renders tests/golden/, a study and a pipeline with every setting of a pod, for each kind of object.

make manifests writes the result, and make check-manifests compares it. A target that cannot express a setting refuses
it; its variant is without.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from kftune import yaml_text
from kftune.files import write_text
from kftune.pipeline import load_pipeline
from kftune.render import render, render_pipeline
from kftune.study import load_study

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


class Variant(NamedTuple):
    """One render."""

    file: str
    """The study or pipeline in tests/golden/."""
    target: str
    """The target of the render."""
    overrides: tuple[str, ...] = ()
    """What differs from the file."""


def _without(*settings: str) -> tuple[str, ...]:
    return tuple(f"~{setting}" for setting in settings)


_NOT_ON_TRAINJOBS = (
    "priority_class",
    "scheduler",
    "runtime_class",
    "topology_spread",
    "host_network",
    "host_ipc",
    "image_pull_policy",
    "working_dir",
    "pod",
    "container.lifecycle",
)
_NOT_ON_KFP = (
    "priority_class",
    "scheduler",
    "runtime_class",
    "topology_spread",
    "host_network",
    "host_ipc",
    "grace_period",
    "pod",
    "container",
    "affinity.spread",
    "resources.ephemeral_storage",
    "resources.extra",
    "security.capabilities",
    "security.fs_group",
    "security.read_only_root",
)
_VOLUMES_ON_KFP = """defaults.volumes=[
    {name: data, mount: /data, claim: data, sub_path: sensors/2026},
    {name: notes, mount: /notes, config_map: notes},
    {name: keys, mount: /keys, secret: keys},
    {name: tmp, mount: /tmp, empty_dir: true, size_limit: 1Gi},
    {name: scratch, mount: /scratch, ephemeral: {size: 100Gi, storage_class: fast, access: ReadWriteOncePod}}]"""


def _several_nodes(kind: str) -> tuple[str, ...]:
    return (
        "steps.train.resources.nodes=2",
        f"steps.train.job={{kind: {kind}, launcher: registry.example/launcher:1, service_account: nodes}}",
        "steps.train.share=data",
    )


VARIANTS = {
    "study.job": Variant("study.yaml", "katib"),
    "study.pytorchjob": Variant(
        "study.yaml", "katib", ("targets.katib.trial_kind=PyTorchJob", "step.resources.nodes=2")
    ),
    "study.trainjob": Variant(
        "study.yaml",
        "katib",
        (
            "targets.katib.trial_kind=TrainJob",
            "step.resources.nodes=2",
            *_without(*(f"step.{name}" for name in _NOT_ON_TRAINJOBS)),
        ),
    ),
    "pipeline.argo36": Variant("pipeline.yaml", "argo", ("targets.argo.version='3.6'",)),
    "pipeline.argo41": Variant("pipeline.yaml", "argo", ("targets.argo.version='4.1'",)),
    "pipeline.argo-pytorchjob": Variant("pipeline.yaml", "argo", _several_nodes("PyTorchJob")),
    "pipeline.argo-trainjob": Variant(
        "pipeline.yaml",
        "argo",
        (
            *_several_nodes("TrainJob"),
            *_without(*(f"defaults.{name}" for name in _NOT_ON_TRAINJOBS if name != "working_dir")),
        ),
    ),
    "pipeline.kfp-pytorchjob": Variant(
        "pipeline.yaml",
        "kfp",
        (
            *_several_nodes("PyTorchJob"),
            *_without(*(f"defaults.{name}" for name in _NOT_ON_KFP)),
            _VOLUMES_ON_KFP,
        ),
    ),
    "pipeline.kfp": Variant(
        "pipeline.yaml",
        "kfp",
        (*_without(*(f"defaults.{name}" for name in _NOT_ON_KFP)), _VOLUMES_ON_KFP),
    ),
}

_FORMS = {
    "flags": "{names: dashes, booleans: flag}",
    "both-flags": "{names: dashes, style: --name value, booleans: flag-no}",
    "hydra": "{style: name=value}",
    "variables": "{as: environment, prefix: HP_}",
    "file": "{as: json-file, option: config}",
}
_KINDS = {
    "job": (),
    "pytorchjob": ("targets.katib.trial_kind=PyTorchJob", "step.resources.nodes=2"),
    "trainjob": ("targets.katib.trial_kind=TrainJob", "step.resources.nodes=2"),
}
VARIANTS |= {
    f"study-arguments.{form}-{kind}": Variant(
        "study-arguments.yaml", "katib", (f"step.arguments={arguments}", *overrides)
    )
    for form, arguments in _FORMS.items()
    for kind, overrides in _KINDS.items()
    if kind == "job" or form in ("flags", "file")
}
VARIANTS |= {f"pipeline-arguments.{target}": Variant("pipeline-arguments.yaml", target) for target in ("argo", "kfp")}


def documents(variant: Variant) -> list[dict[str, Any]]:
    """Returns what a variant renders to."""
    path = GOLDEN / variant.file
    if variant.file.startswith("study"):
        return render(load_study(path, variant.overrides), variant.target).documents
    return render_pipeline(load_pipeline(path, variant.overrides), variant.target).documents


def main() -> None:
    """Writes the renders into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the renders go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, variant in VARIANTS.items():
        write_text(folder / f"{name}.yaml", yaml_text.dump_all(documents(variant)))


if __name__ == "__main__":
    main()
