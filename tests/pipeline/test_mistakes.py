"""What people get to read when a pipeline file is wrong: each text stands in tests/snapshots/pipeline_mistakes.txt.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from mistake_texts import REMEDY, printed, record, recorded
from net_pipeline import HPARAMS, PIPELINE, PLANTS, STUDY

SNAPSHOTS = "pipeline_mistakes.txt"


class Edit(NamedTuple):
    """A pipeline in which `old` was mistakenly written as `new`."""

    old: str
    new: str


TRAIN = "    module: net.train\n"
EDITS = {
    # the file
    "file: misspelt section": Edit("parameters:\n", "params:\n"),
    "file: not a mapping of steps": Edit(PIPELINE, "name: net\nsteps: [data, train]\n"),
    "file: no steps": Edit(PIPELINE, "name: net\nsteps: {}\n"),
    "file: no name": Edit("name: net\n", ""),
    "file: broken YAML": Edit("{cpu: 1, memory: 1Gi}", "{cpu: 1, memory: 1Gi"),
    "file: a step twice": Edit("  collect:\n", "  train:\n"),
    # names
    "name: of the pipeline": Edit("name: net\n", "name: Net_1\n"),
    "name: of a step with _": Edit("  data:\n    kind", "  load_data:\n    kind"),
    "name: of an input that YAML takes for a boolean": Edit("days: 56", '"n": 56'),
    "name: of an input with -": Edit("days: 56", "days-of-data: 56"),
    "name: of a parameter that is a word of Python": Edit("  circuit: P1/C1\n", "  class: P1/C1\n"),
    "name: a loop and a step share one": Edit(
        "  plants: {file: plants.yaml, at: P1.*, parallel: 2}", "  note: {file: plants.yaml, at: P1.*}"
    ),
    # steps
    "step: no kind": Edit("    kind: train\n", ""),
    "step: unknown kind": Edit("kind: train", "kind: trian"),
    "step: misspelt field": Edit(TRAIN, "    modul: net.train\n"),
    "step: neither module nor command": Edit(TRAIN, ""),
    "step: module and command": Edit(TRAIN, f"{TRAIN}    command: [python, train.py]\n"),
    "step: a name besides its key": Edit(TRAIN, f"{TRAIN}    name: train\n"),
    "step: no mapping": Edit(
        PIPELINE[PIPELINE.index("  evaluate:") : PIPELINE.index("  register:")], "  evaluate: yes\n"
    ),
    "step: a train step without a model": Edit(TRAIN, f"{TRAIN}    outputs: {{log: str}}\n"),
    "step: an evaluate step without numbers": Edit("{metrics: metrics, val_loss: float}", "{text: str}"),
    "step: an unknown type of output": Edit("val_loss: float}", "val_loss: number}"),
    "step: an input and an output of one name": Edit(
        'inputs: {texts: "${steps.note.outputs.text}"}',
        'inputs: {texts: "${steps.note.outputs.text}"}\n    outputs: {texts: str}',
    ),
    "step: an input that is a hyperparameter too": Edit(
        'inputs: {data: "${steps.data.outputs.data}"}\n    hparams',
        'inputs: {data: "${steps.data.outputs.data}", lr: 0.1}\n    hparams',
    ),
    "step: a reference among the arguments": Edit("command: [sh, note.sh]", 'command: [sh, "${item.circuit}"]'),
    "step: a reference in the environment": Edit("env: {MODE: fast}", 'env: {MODE: "${parameters.circuit}"}'),
    # references
    "reference: to no step": Edit(
        '{data: "${steps.data.outputs.data}"}\n    values', '{data: "${steps.dta.outputs.data}"}\n    values'
    ),
    "reference: to no output": Edit(
        '{model: "${steps.train.outputs.model}"}', '{model: "${steps.train.outputs.modle}"}'
    ),
    "reference: to no parameter": Edit("${parameters.limit}", "${parameters.limits}"),
    "reference: of no form": Edit('"${parameters.circuit}"', '"${parameter.circuit}"'),
    "reference: within a text": Edit('"${parameters.circuit}"', '"plant ${parameters.circuit}"'),
    "reference: within a list": Edit("days: 56", 'days: ["${parameters.circuit}"]'),
    "reference: an item outside of a loop": Edit("days: 56", 'days: "${item.units}"'),
    "reference: no such field of an item": Edit("${item.circuit}", "${item.circiut}"),
    "reference: the status before the end": Edit("days: 56", 'days: "${run.status}"'),
    "reference: a step to itself": Edit(
        '{model: "${steps.train.outputs.model}"}', '{model: "${steps.evaluate.outputs.val_loss}"}'
    ),
    "reference: to the exit step": Edit("after: [train]", "after: [exit]"),
    "reference: the exit step takes an output": Edit("${run.status}", "${steps.train.outputs.model}"),
    "reference: steps in a circle": Edit("days: 56", 'days: "${steps.evaluate.outputs.val_loss}"'),
    "reference: an artifact out of a loop": Edit(
        "outputs: {text: str}\n    after: [train]", "outputs: {text: markdown}\n    after: [train]"
    ),
    "reference: after no step": Edit("after: [train]", "after: [trian]"),
    # types
    "type: a parameter where another type is wanted": Edit("{type: float, value:", "{type: int, value:"),
    "type: a constant of another type": Edit("days: 56", "days: {type: int, value: many}"),
    "type: an artifact given as a text": Edit("days: 56", "days: {type: dataset, value: /data}"),
    "type: an artifact with a default": Edit(
        "      model: ${steps.train.outputs.model}\n",
        '      model: {value: "${steps.train.outputs.model}", default: x}\n',
    ),
    "type: an optional parameter": Edit("{type: float, value:", "{optional: true, value:"),
    "type: a default of another type": Edit("{type: float, default: 0.5,", "{type: float, default: half,"),
    "type: no value": Edit("days: 56", "days: null"),
    "type: an unknown key of an input": Edit("days: 56", "days: {vlaue: 56}"),
    "type: a default for what is always there": Edit(
        '"${parameters.circuit}", days', '{value: "${parameters.circuit}", default: P1/C2}, days'
    ),
    "type: a parameter without type and default": Edit("{type: float, default: 0.5, description", "{description"),
    # hyperparameters
    "hparams: unknown name in values": Edit("values: {epochs: 20}", "values: {epoch: 20}"),
    "hparams: a value of another type": Edit("values: {epochs: 20}", "values: {epochs: many}"),
    "hparams: a value out of bounds": Edit("values: {epochs: 20}", "values: {units: 0}"),
    "hparams: a reference of another type": Edit("values: {epochs: 20}", 'values: {epochs: "${parameters.circuit}"}'),
    "hparams: set and taken from the tune step": Edit("values: {epochs: 20}", "values: {lr: 0.1}"),
    "hparams: values without a class": Edit("    hparams: net_hparams:Net\n", ""),
    "hparams: best values of another class": Edit(
        "    hparams: net_hparams:Net\n    values: {epochs: 20}\n", "    hparams: net_hparams:Tree\n"
    ),
    "hparams: values from a step that searches nothing": Edit(
        "${steps.tune.outputs.best}", "${steps.data.outputs.best}"
    ),
    "hparams: one best value where all are wanted": Edit("${steps.tune.outputs.best}", "${steps.tune.outputs.best.lr}"),
    "hparams: no such class": Edit("    hparams: net_hparams:Net\n", "    hparams: net_hparams:Nett\n"),
    # tune
    "tune: no such study": Edit("study: study.yaml", "study: studdy.yaml"),
    "tune: a mistake in the study": Edit("study: study.yaml", "study: wrong.yaml"),
    "tune: an override of an unknown key": Edit("budget.max_trials=2", "budget.max_trails=2"),
    "tune: entities in the command": Edit(
        "[budget.max_trials=2]", "['for_each=[a, b]', 'step.command=[python, train.py, \"${entity}\"]']"
    ),
    "tune: entities of another type each": Edit(
        "[budget.max_trials=2]",
        "['for_each=[{name: a, n: 1}, {name: b, n: x}]', 'values.units=${entity.n}']",
    ),
    "tune: entities and a loop": Edit(
        "[budget.max_trials=2]\n",
        "['for_each=[a, b]', 'step.args=[\"--site=${entity}\"]']\n    for_each: plants\n",
    ),
    "tune: entities with more trials than they share": Edit(
        "[budget.max_trials=2]",
        "['for_each={items: [a, b], budget: {max_trials: 5}}', 'step.args=[\"--site=${entity}\"]']",
    ),
    "tune: a command of its own": Edit("    study: study.yaml\n", "    study: study.yaml\n    module: net.train\n"),
    "tune: arguments of its own": Edit(
        "    study: study.yaml\n", "    study: study.yaml\n    arguments: {names: dashes}\n"
    ),
    "arguments: an input with the name of the file's option": Edit(
        TRAIN, f"{TRAIN}    arguments: {{as: json-file, option: data}}\n"
    ),
    "tune: a value that the study searches": Edit("values: {epochs: 3}", "values: {lr: 0.1}"),
    "tune: share of no volume": Edit("    study: study.yaml\n", "    study: study.yaml\n    share: work\n"),
    "tune: a job": Edit(
        "    study: study.yaml\n", "    study: study.yaml\n    job: {kind: TrainJob, launcher: images/launcher}\n"
    ),
    # several nodes
    "nodes: a job without an image of the launcher": Edit(TRAIN, f"{TRAIN}    job: {{kind: PyTorchJob}}\n"),
    "nodes: a job without a kind": Edit(TRAIN, f"{TRAIN}    job: {{launcher: images/launcher}}\n"),
    "nodes: a kind that is no job of several nodes": Edit(
        TRAIN, f"{TRAIN}    job: {{kind: MPIJob, launcher: images/launcher}}\n"
    ),
    "nodes: a misspelt kind": Edit(TRAIN, f"{TRAIN}    job: {{kind: PytorchJob, launcher: images/launcher}}\n"),
    "nodes: a runtime of a PyTorchJob": Edit(
        TRAIN, f"{TRAIN}    job: {{kind: PyTorchJob, launcher: images/launcher, runtime: torch-distributed}}\n"
    ),
    "nodes: nodes of the launcher": Edit(
        TRAIN, f"{TRAIN}    job: {{kind: TrainJob, launcher: images/launcher, resources: {{nodes: 2}}}}\n"
    ),
    "nodes: a misspelt key": Edit(
        TRAIN, f"{TRAIN}    job: {{kind: TrainJob, launcher: images/launcher, runtime_knd: TrainingRuntime}}\n"
    ),
    "nodes: a read-only share": Edit(
        TRAIN,
        f"{TRAIN}    share: work\n    volumes: [{{name: work, claim: work, mount: /work, read_only: true}}]\n",
    ),
    "nodes: a share without a claim": Edit(
        TRAIN, f"{TRAIN}    share: work\n    volumes: [{{name: work, empty_dir: true, mount: /work}}]\n"
    ),
    "tune: an unknown value": Edit("values: {epochs: 3}", "values: {epoch: 3}"),
    "tune: a value of another type": Edit("values: {epochs: 3}", "values: {epochs: many}"),
    # loops
    "loop: unknown": Edit("for_each: plants", "for_each: plant"),
    "loop: nobody runs in it": Edit("    for_each: plants\n", ""),
    "loop: items and file": Edit("{file: plants.yaml,", "{items: [a], file: plants.yaml,"),
    "loop: no items": Edit("{file: plants.yaml, at: P1.*, parallel: 2}", "{items: []}"),
    "loop: items of two types": Edit("{file: plants.yaml, at: P1.*, parallel: 2}", "{items: [1, a]}"),
    "loop: neither items nor file": Edit("{file: plants.yaml, at: P1.*, parallel: 2}", "{parallel: 2}"),
    "loop: a reference to no list": Edit(
        "{file: plants.yaml, at: P1.*, parallel: 2}", '{items: "${parameters.circuit}", fields: {circuit: str}}'
    ),
    "loop: a field that items lack": Edit("at: P1.*,", "at: P1.*, fields: {untis: int},"),
    "loop: none at once": Edit("parallel: 2", "parallel: 0"),
    "loop: a list where a text is wanted": Edit(
        '{texts: "${steps.note.outputs.text}"}', '{texts: {type: str, value: "${steps.note.outputs.text}"}}'
    ),
    "loop: items of another type than said": Edit(
        "loops:\n  plants: {file: plants.yaml, at: P1.*, parallel: 2}",
        'loops:\n  plants: {items: "${parameters.numbers}", fields: {circuit: str}}',
    ),
    "loop: items of no parameter": Edit(
        "{file: plants.yaml, at: P1.*, parallel: 2}", '{items: "${parameters.circiut}", fields: {circuit: str}}'
    ),
    "loop: items of no step": Edit(
        "{file: plants.yaml, at: P1.*, parallel: 2}", '{items: "${steps.dta.outputs.circuits}", fields: {circuit: str}}'
    ),
    "loop: no such file": Edit("plants.yaml", "plant.yaml"),
    "loop: no such key in the file": Edit("P1.*", "P2.*"),
    # conditions
    "when: no comparison": Edit(
        "${steps.evaluate.outputs.val_loss} < ${parameters.limit}", "${steps.evaluate.outputs.val_loss}"
    ),
    "when: no operator of ours": Edit("val_loss} < ", "val_loss} =< "),
    "when: two comparisons": Edit(" < ${parameters.limit}", " < 0.5 and 1 < 2"),
    "when: a text without quotes": Edit(
        "${steps.evaluate.outputs.val_loss} < ${parameters.limit}", "${parameters.circuit} == P1/C1"
    ),
    "when: a number and a text": Edit("< ${parameters.limit}", "== ${parameters.circuit}"),
    "when: texts by order": Edit(
        "${steps.evaluate.outputs.val_loss} < ${parameters.limit}", "${parameters.circuit} < 'a'"
    ),
    "when: an artifact": Edit("${steps.evaluate.outputs.val_loss} <", "${steps.evaluate.outputs.metrics} <"),
    "when: nothing of the run": Edit("${steps.evaluate.outputs.val_loss} < ${parameters.limit}", "1 < 2"),
    # what surrounds them
    "defaults: unknown instance type": Edit(
        "  env: {MODE: fast}\n", "  env: {MODE: fast}\n  instance_type: ml.m5.xlagre\n"
    ),
    "defaults: a limit below what is asked for": Edit("memory: 1Gi}", "memory: 1Gi, memory_limit: 512Mi}"),
    "defaults: two volumes at one place": Edit(
        "  env: {MODE: fast}\n",
        "  volumes: [{name: a, mount: /x, empty_dir: true}, {name: b, mount: /x/, empty_dir: true}]\n",
    ),
    "defaults: a node label that cannot be": Edit("  env: {MODE: fast}\n", "  node_selector: {pool: big one}\n"),
    "defaults: a toleration of every value with a value": Edit(
        "  env: {MODE: fast}\n", "  tolerations: [{key: gpu, operator: Exists, value: here}]\n"
    ),
    "defaults: a toleration of no taint": Edit("  env: {MODE: fast}\n", "  tolerations: [{value: here}]\n"),
    "defaults: a key that no secret has": Edit(
        "  env: {MODE: fast}\n", "  secrets: {TOKEN: {name: hub, key: the token}}\n"
    ),
    "defaults: a type of GPU that no label can name": Edit(
        "memory: 1Gi}", "memory: 1Gi, gpu: 1, gpu_type: NVIDIA A100}"
    ),
    "defaults: a field that only steps have": Edit("  env: {MODE: fast}\n", "  module: net.train\n"),
    "defaults: fewer than no retries": Edit("  env: {MODE: fast}\n", "  retries: -1\n"),
    "defaults: a timeout in words": Edit("  env: {MODE: fast}\n", "  timeout: an hour\n"),
    "defaults: a secret's value in the file": Edit("  env: {MODE: fast}\n", "  secrets: {TOKEN: abc}\n"),
    "exit: waits for others": Edit("exit:\n", "exit:\n  after: [train]\n"),
    "exit: a tune step": Edit("  command: [sh, exit.sh]\n", "  kind: tune\n  study: study.yaml\n"),
    "schedule: four fields": Edit("30 2 * * 1-5", "30 2 * *"),
    "schedule: a minute too many": Edit("30 2 * * 1-5", "60 2 * * 1-5"),
    "schedule: unknown time zone": Edit("Europe/Berlin", "Europe/Berlni"),
    "targets: unknown version": Edit('version: "4.1"', 'version: "5.0"'),
    "targets: pods deleted at no known time": Edit("labels: {team: a}", "pod_gc: {when: step_success}"),
    "targets: artifacts deleted after a step": Edit("labels: {team: a}", "artifact_gc: {when: step_ended}"),
    "targets: a semaphore without a key": Edit("labels: {team: a}", "semaphores: [{config_map: limits}]"),
    "targets: Argo's name of a setting": Edit("labels: {team: a}", "podGC: {strategy: OnPodSuccess}"),
    "targets: a misspelt account": Edit("labels: {team: a}", "executor_acount: argo"),
    "targets: a pipeline root that is no bucket": Edit("targets:\n", "targets:\n  kfp: {pipeline_root: 'minio:/x'}\n"),
    "targets: a label that no cluster takes": Edit("{team: a}", '{team: "a b"}'),
}

COMMANDS = {
    "command: an override of an unknown key": ["show", "pipeline.yaml", "steps.train.value=1"],
    "command: an override of a step that is not there": ["show", "pipeline.yaml", "steps.trian.timeout=5m"],
    "command: an override of a parameter that is not there": ["show", "pipeline.yaml", "parameters.limt.default=1"],
    "command: an override that breaks the pipeline": ["show", "pipeline.yaml", "steps.train.values.epochs=many"],
    "command: an option of studies for a pipeline": ["run", "pipeline.yaml", "--gpus", "0"],
    "command: a removed section that is misspelt": ["show", "pipeline.yaml", "~schedul"],
    "command: a removed key that is misspelt": ["show", "pipeline.yaml", "~steps.train.value"],
    "command: a study run as a pipeline": ["pipeline", "run", "study.yaml"],
    "command: a target that cannot express it": [
        "render",
        "pipeline.yaml",
        "--target",
        "argo",
        "steps.train.instance_count=2",
    ],
    "command: a file to write that is of another kind": ["render", "pipeline.yaml", "--out", "net_hparams.py"],
    "command: a pipeline that runs is missing": ["pipeline", "run", "pipelin.yaml"],
    "command: a pipeline file is missing": ["show", "pipelines.yaml"],
    "command: a schema of nothing known": ["schema", "pipelin"],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    files = {
        "net_hparams.py": HPARAMS,
        "study.yaml": STUDY,
        "wrong.yaml": STUDY.replace("objective", "objectve"),
        "plants.yaml": PLANTS,
        "pipeline.yaml": PIPELINE,
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def _of_edit(edit: Edit, project: Path) -> str:
    assert PIPELINE.count(edit.old) >= 1
    (project / "mistake.yaml").write_text(PIPELINE.replace(edit.old, edit.new, 1))
    return printed(["show", "mistake.yaml"], project)


@pytest.fixture(scope="module")
def texts(project: Path) -> dict[str, str]:
    found = {name: _of_edit(edit, project) for name, edit in EDITS.items()}
    found |= {name: printed(arguments, project) for name, arguments in COMMANDS.items()}
    record(SNAPSHOTS, found)
    return found


def test_the_pipeline_without_a_mistake_is_taken(project: Path) -> None:
    assert printed(["show", "pipeline.yaml"], project).startswith("exit 0\nnet\n")


@pytest.mark.parametrize("name", [*EDITS, *COMMANDS])
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_every_mistake_is_refused_without_a_traceback(texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if not text.startswith("exit 2\nkftune: ")] == []


def test_every_mistake_in_a_file_names_its_place(texts: dict[str, str]) -> None:
    placed = re.compile(r"mistake\.yaml:\d+:\d+: ")
    assert [name for name in EDITS if not placed.search(texts[name])] == []
