"""What people get to read when they make a mistake: each text stands in tests/snapshots/mistakes.txt.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from argument_mistakes import ARGUMENTS, SWITCHED
from forked_kftune import forks
from mistake_texts import REMEDY, record, recorded

import kftune

SNAPSHOTS = "mistakes.txt"
Kftune = Callable[..., str]

HPARAMS = '''
from kftune import Choice, Hparam, Hparams, LogUniform

class Toy(Hparams):
    """A toy."""

    lr: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
    units: int = Hparam(64, ge=1, search=Choice(32, 64, 128))
    """Width."""
    optimizer: str = "adam"
    epochs: int = 10
'''

STUDY = """\
name: toy
hparams: toy_hparams:Toy
values: {epochs: 30}
search:
  lr: {loguniform: [1e-4, 1e-2]}
objective: {metric: val_loss, direction: minimize}
metrics: [train_loss]
algorithm: {name: tpe, seed: 7, settings: {gamma: 0.3}}
budget: {max_trials: 6, parallel: 2, max_failed: 1, trial_timeout: 30s}
step:
  name: train
  image: registry.example/toy:1
  command: [python, train.py]
  resources: {cpu: 1, memory: 1Gi}
  env: {MODE: fast}
targets:
  katib: {version: "0.19", namespace: team-a}
"""

LOSS = "{metric: val_loss, direction: minimize}"
OBJECTIVE = f"objective: {LOSS}"
SEVERAL = ["~objective", f"objectives=[{LOSS}, {{metric: size, direction: minimize}}]"]


SAMPLERS = """
from kftune.local.samplers import Setting, Strategy, number

class Near(Strategy):
    settings = {"share": Setting(number("a number from 0 to 1", lambda share: 0 <= share <= 1))}

class Outside(Strategy):
    def proposals(self, number):
        yield {"lr": 1e-3, "units": 65}

class Failing(Strategy):
    def proposals(self, number):
        return [self.best]
"""


PARSER = "import argparse\nparser = argparse.ArgumentParser()\n"

# The scripts of which `kftune new` is to write a study.
SCRIPTS_OF_NEW = {
    "broken": "def main(:\n    pass\n",
    "with_class": "from toy_hparams import Toy\nprint(Toy.from_args())\n",
    "subcommands": (
        f"{PARSER}subs = parser.add_subparsers()\ntrain = subs.add_parser('train')\n"
        "train.add_argument('--lr', type=float, default=1e-3)\nsubs.add_parser('evaluate')\nparser.parse_args()\n"
    ),
    "positions": (
        f"{PARSER}parser.add_argument('data')\nparser.add_argument('--sizes', nargs='+', type=int, default=[1])\n"
        "parser.add_argument('--amp', type=bool, default=False)\nparser.parse_args()\n"
    ),
}
TYPED = "kftune.training:RunHparams"
CONFIGS = {
    "typed.yaml": "model:\n  optimizer: {module_nam: torch.optim.SGD}\n",
    "hydrantic.yaml": "model_config:\n  matmul_precision: high\n",
}
NEW = ["new", "hparams", "net", "--from"]


class Edit(NamedTuple):
    """A study in which `old` was mistakenly written as `new`."""

    old: str
    new: str


_REST = STUDY[STUDY.index("objective:") : STUDY.index("max_trials")]
_SEARCH = "  lr: {loguniform: [1e-4, 1e-2]}\n" + _REST
_GRID = _REST.replace("{name: tpe, seed: 7, settings: {gamma: 0.3}}", "{name: grid}")
_HALVE = "retries: {{out_of_memory: {{halve: {}}}}}, "

EDITS = {
    "study: misspelt section": Edit("objective:", "objectve:"),
    "study: misspelt key of a section": Edit("max_trials: 6", "max_trails: 6"),
    "study: not a mapping": Edit(STUDY, "- a\n- b\n"),
    "study: broken YAML": Edit("{epochs: 30}", "{epochs: 30"),
    "study: a tab for indentation": Edit("  name: train", "\tname: train"),
    "study: a key twice": Edit("metrics: [train_loss]", "metrics: [train_loss]\nname: again"),
    "study: no name": Edit("name: toy\n", ""),
    "hparams: no such module": Edit("toy_hparams:Toy", "toyhparams:Toy"),
    "hparams: no such class": Edit("toy_hparams:Toy", "toy_hparams:Tow"),
    "hparams: unknown registry name": Edit("toy_hparams:Toy", "LstmHparam"),
    "hparams: the module raises": Edit("toy_hparams:Toy", "raising_hparams:Toy"),
    "hparams: the module needs a missing package": Edit("toy_hparams:Toy", "needing_hparams:Toy"),
    "hparams: not a class of hyperparameters": Edit("toy_hparams:Toy", "toy_hparams:Choice"),
    "values: unknown hyperparameter": Edit("{epochs: 30}", "{epoch: 30}"),
    "values: wrong type": Edit("{epochs: 30}", "{epochs: many}"),
    "values: fixed and searched": Edit("{epochs: 30}", "{lr: 0.1}"),
    "search: unknown hyperparameter": Edit("  lr: {log", "  learning_rate: {log"),
    "search: unknown domain": Edit("loguniform:", "logunifrom:"),
    "search: empty domain": Edit("{loguniform: [1e-4, 1e-2]}", "{choice: []}"),
    "search: log domain that touches 0": Edit("[1e-4, 1e-2]", "[0, 1e-2]"),
    "search: bounds the wrong way round": Edit("[1e-4, 1e-2]", "[1e-2, 1e-4]"),
    "search: bounds as text": Edit("[1e-4, 1e-2]", '["1e-4", "1e-2"]'),
    "search: one bound only": Edit("[1e-4, 1e-2]", "[1e-4]"),
    "search: outside the field's own bounds": Edit("{loguniform: [1e-4, 1e-2]}", "{uniform: [-1, 1]}"),
    "search: a choice of another type": Edit("{loguniform: [1e-4, 1e-2]}", "{choice: [fast, slow]}"),
    "search: fractions for an integer": Edit("  lr: {loguniform: [1e-4, 1e-2]}", "  units: {uniform: [1, 9]}"),
    "search: not a domain": Edit("{loguniform: [1e-4, 1e-2]}", "0.1"),
    "search: unknown option of a domain": Edit("{loguniform: [1e-4, 1e-2]}", "{loguniform: [1e-4, 1e-2], base: 10}"),
    "search: nothing left to search": Edit("  lr: {loguniform: [1e-4, 1e-2]}", "  lr: null\n  units: null"),
    "search: a condition on an unknown name": Edit("1e-2]}", "1e-2], when: {optimiser: adam}}"),
    "objective: unknown direction": Edit("direction: minimize", "direction: min"),
    "objective: a metric name that no collector reads": Edit("metric: val_loss", "metric: val loss"),
    "objective: also among the metrics": Edit("[train_loss]", "[train_loss, val_loss]"),
    "objective: neither one nor several": Edit(f"{OBJECTIVE}\n", ""),
    "objectives: beside objective": Edit("metrics:", "objectives: [{metric: size, direction: minimize}]\nmetrics:"),
    "objectives: none": Edit(OBJECTIVE, "objectives: []"),
    "objectives: a mapping": Edit(OBJECTIVE, "objectives: {metric: val_loss, direction: minimize}"),
    "objectives: names only": Edit(OBJECTIVE, "objectives: [val_loss, size]"),
    "objectives: one metric twice": Edit(OBJECTIVE, f"objectives: [{LOSS}, {LOSS}]"),
    "objectives: also among the metrics": Edit(
        OBJECTIVE, f"objectives: [{LOSS}, {{metric: train_loss, direction: minimize}}]"
    ),
    "objectives: no direction": Edit(OBJECTIVE, f"objectives: [{LOSS}, {{metric: size}}]"),
    "objectives: misspelt key": Edit(OBJECTIVE, f"objectives: [{LOSS}, {{metric: size, drection: minimize}}]"),
    "objectives: misspelt section": Edit(OBJECTIVE, f"objectivs: [{LOSS}]"),
    "objectives: a goal as text": Edit(
        OBJECTIVE, f"objectives: [{LOSS}, {{metric: s, direction: minimize, goal: low}}]"
    ),
    "metrics: a regex without a group": Edit("[train_loss]", "[{name: train_loss, regex: 'loss: .*'}]"),
    "metrics: a regex that Katib's engine refuses": Edit("[train_loss]", "[{name: a, regex: '(?<=a)b ([0-9.]+)'}]"),
    "algorithm: unknown": Edit("name: tpe", "name: tpee"),
    "algorithm: unknown setting": Edit("gamma: 0.3", "gama: 0.3"),
    "algorithm: setting out of range": Edit("gamma: 0.3", "gamma: 3"),
    "algorithm: a setting of another algorithm": Edit("name: tpe", "name: nsga2"),
    "algorithm: a population of one": Edit(
        "{name: tpe, seed: 7, settings: {gamma: 0.3}}", "{name: nsga2, settings: {population_size: 1}}"
    ),
    "algorithm: the seed as a setting": Edit("gamma: 0.3", "random_state: 3"),
    "algorithm: a grid over a continuous domain": Edit("{name: tpe, seed: 7, settings: {gamma: 0.3}}", "{name: grid}"),
    "algorithm: a grid larger than the budget": Edit(
        "  lr: {loguniform: [1e-4, 1e-2]}\nobjective: {metric: val_loss, direction: minimize}\nmetrics: [train_loss]\n"
        "algorithm: {name: tpe, seed: 7, settings: {gamma: 0.3}}",
        "  lr: {quniform: [0.1, 0.5], q: 0.1}\nobjective: {metric: val_loss, direction: minimize}\n"
        "algorithm: {name: grid}",
    ),
    "algorithm: a needed setting is missing": Edit("{name: tpe, seed: 7, settings: {gamma: 0.3}}", "{name: hyperband}"),
    "budget: none at once": Edit("parallel: 2", "parallel: 0"),
    "budget: no trials": Edit("max_trials: 6", "max_trials: 0"),
    "budget: not a duration": Edit("trial_timeout: 30s", "trial_timeout: 30 minutes"),
    "retries: a number for all kinds": Edit("trial_timeout: 30s", "trial_timeout: 30s, retries: 2"),
    "retries: misspelt kind": Edit("trial_timeout: 30s", "trial_timeout: 30s, retries: {oom: 1}"),
    "retries: below 0": Edit("trial_timeout: 30s", "trial_timeout: 30s, retries: {failed: -1}"),
    "retries: without a limit": Edit("trial_timeout: 30s", "trial_timeout: 30s, retries: {failed: true}"),
    "retries: a fraction": Edit("trial_timeout: 30s", "trial_timeout: 30s, retries: {lost: 1.5}"),
    "retries: an unknown word for memory": Edit(
        "trial_timeout: 30s", "trial_timeout: 30s, retries: {out_of_memory: larger}"
    ),
    "retries: smaller without a batch size": Edit(
        "trial_timeout: 30s", "trial_timeout: 30s, retries: {out_of_memory: smaller}"
    ),
    "retries: an empty mapping for memory": Edit(
        "trial_timeout: 30s", "trial_timeout: 30s, retries: {out_of_memory: {}}"
    ),
    "retries: a misspelt hyperparameter to halve": Edit(
        "trial_timeout: 30s", "trial_timeout: 30s, retries: {out_of_memory: {halve: lrr}}"
    ),
    "retries: a fixed hyperparameter to halve": Edit(
        "trial_timeout: 30s", "trial_timeout: 30s, retries: {out_of_memory: {halve: epochs}}"
    ),
    "retries: nothing to halve with": Edit(
        "trial_timeout: 30s", "trial_timeout: 30s, retries: {out_of_memory: {retries: 0, halve: lr}}"
    ),
    "retries: lost trials twice": Edit(
        "trial_timeout: 30s}\nstep:", "trial_timeout: 30s, retries: {lost: 1}}\nstep:\n  preemption: {retries: 2}"
    ),
    "retries: texts to halve": Edit(
        _SEARCH, f"  optimizer: {{choice: [adam, sgd]}}\n{_REST}{_HALVE.format('optimizer')}"
    ),
    "retries: halving what a condition depends on": Edit(
        _SEARCH,
        f"  units: {{choice: [32, 64]}}\n  lr: {{loguniform: [1e-4, 1e-2], when: {{units: [64]}}}}\n"
        f"{_REST}{_HALVE.format('units')}",
    ),
    "retries: halving in a grid": Edit(
        _SEARCH, f"  units: {{choice: [32, 64]}}\n  lr: null\n{_GRID}{_HALVE.format('units')}"
    ),
    "step: an invalid image name": Edit("registry.example/toy:1", "Toy Image"),
    "step: the command as one text": Edit("[python, train.py]", "python train.py"),
    "step: neither command nor module": Edit("  command: [python, train.py]\n", ""),
    "step: not a quantity": Edit("memory: 1Gi", "memory: 1 GB"),
    "step: an invalid environment variable": Edit("{MODE: fast}", "{my-mode: fast}"),
    "step: a secret's value in the study": Edit("{MODE: fast}", "{MODE: fast}\n  secrets: {TOKEN: abc}"),
    "targets: unknown Katib version": Edit('version: "0.19"', 'version: "0.17"'),
    "targets: the version as a number": Edit('version: "0.19"', "version: 0.19"),
    "points: outside the space": Edit("metrics:", "points: [{lr: 1.0, units: 64}]\nmetrics:"),
    "points: not searched": Edit("metrics:", "points: [{epochs: 3}]\nmetrics:"),
    "points: refused by a constraint": Edit(
        "metrics:", "constraints: [lr * units < 0.1]\npoints: [{units: 32}, {units: 128, lr: 0.01}]\nmetrics:"
    ),
    "algorithm: a sampler that is not there": Edit("{name: tpe, ", "{name: 'toy_hparams:Sampler', "),
    "algorithm: a sampler in no module": Edit("{name: tpe, ", "{name: 'samplers:Mine', "),
    "algorithm: a file in place of a module": Edit("{name: tpe, ", "{name: 'toy_hparams.py:Toy', "),
    "algorithm: not a sampler": Edit("{name: tpe, ", "{name: 'toy_hparams:Toy', "),
    "algorithm: a sampler whose module raises": Edit("{name: tpe, ", "{name: 'raising_hparams:Mine', "),
    "algorithm: a sampler with other settings": Edit("{name: tpe, ", "{name: 'wrong_samplers:NoSetting', "),
    "algorithm: a setting of a sampler out of range": Edit(
        "{name: tpe, seed: 7, settings: {gamma: 0.3}}", "{name: 'own_samplers:Near', settings: {share: 3}}"
    ),
    "targets: an algorithm that Katib does not have": Edit("team-a}", "team-a, algorithm: 'own_samplers:Near'}"),
    "targets: a setting of the algorithm on Katib": Edit(
        "team-a}", "team-a, algorithm: {name: tpe, settings: {gama: 1}}}"
    ),
}

CONSTRAINTS = {
    "constraints: one text": "lr < 1",
    "constraints: an unknown name": ["lr * unit < 1"],
    "constraints: a text without quotes": ["units < 64 or optimizer == adam"],
    "constraints: one sign of equality": ["units = 64"],
    "constraints: signs of another language": ["lr < 1 && units > 32"],
    "constraints: a function": ["abs(lr) < 1"],
    "constraints: no comparison": ["lr * units"],
    "constraints: a text compared with a number": ["units < 64", "optimizer > 3"],
    "constraints: a bracket that is not closed": ["(lr + units < 3"],
    "constraints: a number that is no number": ["lr < 1e-3x"],
    "constraints: true as in YAML": ["lr < 1 or true"],
    "constraints: no hyperparameter": ["1 < 2"],
    "constraints: only fixed values": ["epochs * 2 < 60"],
    "constraints: too large a number": ["lr < 1e999"],
    "constraints: a list of names": ["lr in [units, 3]"],
}
EDITS |= {name: Edit("metrics:", f"constraints: {json.dumps(texts)}\nmetrics:") for name, texts in CONSTRAINTS.items()}

CLASSES = {
    "class: default outside the domain": "lr: float = Hparam(1.0, search=LogUniform(1e-4, 1e-2))",
    "class: domain outside the field's bounds": "lr: float = Hparam(0.5, gt=0, lt=1, search=Uniform(0.1, 2))",
    "class: a choice of another type": "units: int = Hparam(32, search=Choice('32', '64'))",
    "class: a normal domain on a bounded field": "lr: float = Hparam(0.5, gt=0, search=Normal(0.5, 0.2))",
    "class: a domain that touches 0": "lr: float = Hparam(0.5, search=LogUniform(0, 1))",
    "class: two equal choices": "units: int = Hparam(32, search=Choice(32, 32))",
    "class: weights that do not fit": "units: int = Hparam(32, search=Choice(32, 64, weights=[1]))",
    "class: a name that mappings use": "items: int = 3",
}
_COMMAND = "  command: [python, train.py]\n"
EDITS |= {name: Edit(_COMMAND, f"{_COMMAND}  arguments: {text}\n") for name, text in ARGUMENTS.items()}

COMMANDS = {
    "command: unknown": ["rnu"],
    "command: study file missing": ["show", "nowhere.yaml"],
    "command: unknown option": ["show", "study.yaml", "--formt", "json"],
    "command: an override without a value": ["show", "study.yaml", "budget.max_trials"],
    "command: an override of an unknown key": ["show", "study.yaml", "budget.max_trails=4"],
    "command: an override that breaks the study": ["show", "study.yaml", "budget.max_trials=0"],
    "command: new with a name that is no module": ["new", "hparams", "Text-CNN"],
    "new: another kind": ["new", "hparms", "net"],
    "new: --help": ["new", "--help"],
    "new: a script that is not there": [*NEW, "trian.py"],
    "new: a folder in place of a script": [*NEW, "."],
    "new: a script that is not Python": [*NEW, "broken.py"],
    "new: a script without a parser": [*NEW, "toy_hparams.py"],
    "new: a script that reads its arguments with a class": [*NEW, "with_class.py"],
    "new: a script with subcommands": [*NEW, "subcommands.py"],
    "new: a misspelt subcommand": [*NEW, "subcommands.py", "--command", "trian"],
    "new: a subcommand of a script that has none": [*NEW, "positions.py", "--command", "train"],
    "new: no argument that a study can set": [*NEW, "positions.py"],
    "new: a subcommand without a script": ["new", "hparams", "net", "--command", "train"],
    "new: a pipeline from a script": ["new", "pipeline", "net", "--from", "subcommands.py"],
    "new: a study that is there": ["new", "hparams", "taken", "--from", "subcommands.py", "--command", "train"],
    "train: --help": ["train", "--help"],
    "train: --help of a model": ["train", "toy_hparams:Toy", "--help"],
    "train: nothing": ["train"],
    "train: a misspelt model": ["train", "toy_hparams:Tow"],
    "train: a step of a pipeline": ["train", "register"],
    "train: a class that no function trains": ["train", "toy_hparams:Toy"],
    "train: a misspelt hyperparameter": ["train", "toy_hparams:Toy", "lrr=0.1"],
    "train: the root of a typed model is missing": ["train", TYPED, "optimizer.kwargs.lr=0.0005"],
    "train: the root of another program": ["train", TYPED, "-c", "hydrantic.yaml"],
    "train: a misspelt key of a file": ["train", TYPED, "-c", "typed.yaml"],
    "train: a new key": ["train", TYPED, "+new_key=1"],
    "train: a removed key that is not there": ["train", TYPED, "~model.optimizer.kwargs.lr"],
    "train: a misspelt option": ["train", "toy_hparams:Toy", "--print-confg"],
    "train: a file that is not there": ["train", "toy_hparams:Toy", "-c", "tiped.yaml"],
    "train: a name that is not there": ["train", "toy_hparams:Toy", "--config-name", "tiped"],
    "train: two folders": ["train", "toy_hparams:Toy", "-o", "a", "-o", "b"],
    "train: an option without its file": ["train", "toy_hparams:Toy", "-c"],
    "init: --help": ["init", "--help"],
    "init: a misspelt model": ["init", "lsmt"],
    "init: a file that is there": ["init", "toy_hparams:Toy", "-o", "study.yaml"],
    "command: registry show of nothing known": ["registry", "show", "LstmHparms"],
    "command: failed trials again in a run that starts over": ["run", "study.yaml", "--fresh", "--retry-failed"],
    "command: a misspelt option for failed trials": ["run", "study.yaml", "--retry-fail"],
    "command: results of a study that never ran": ["best", "study.yaml"],
    "command: run of an algorithm for one objective": [
        *("run", "study.yaml", *SEVERAL, "algorithm={name: cmaes}"),
        *("search={lr: {loguniform: [0.1, 1]}, epochs: {int: [1, 9]}}", "~values", "step.command=[python, -c, pass]"),
    ],
    "command: render of an algorithm that Katib lacks": ["render", "study.yaml", "algorithm={name: nsga2}"],
    "command: objectives beside objective": ["show", "study.yaml", SEVERAL[1]],
}

# What a study has in addition when it runs or is rendered, and the command.
RUN = ("run", "study.yaml", "step.command=[python, -c, '1']", "--dir", "runs-mistakes")
OVERRIDES = {
    "arguments: a file for a program that is not Python": [
        *("render", "study.yaml", "step.command=[./train]", "step.arguments={as: json-file}")
    ],
    "arguments: a flag that Katib cannot choose": [
        *("render", "study.yaml", "hparams=switched_hparams:Switched", "~search", "~values"),
        "step.arguments={booleans: flag}",
    ],
    "constraints: nothing is allowed": [*RUN, "constraints=[lr > 1, units < 0]"],
    "constraints: on Katib": ["render", "study.yaml", "constraints=[lr * units < 1]"],
    "algorithm: a sampler of one's own on Katib": [
        *("render", "study.yaml", "~algorithm.settings", "algorithm.name=own_samplers:Near")
    ],
    "algorithm: a sampler that leaves the space": [
        *(*RUN, "~algorithm.settings", "algorithm.name=own_samplers:Outside")
    ],
    "algorithm: a sampler that fails": [*(*RUN, "~algorithm.settings", "algorithm.name=own_samplers:Failing")],
}
COMMANDS |= OVERRIDES

# The script that a run starts in place of train.py, and what is then wrong with it.
SCRIPTS = {
    "run: the objective is never reported": "print('train_loss=0.1'); print('valid_loss=0.2')",
    "run: the objective is NaN": "print('val_loss=nan')",
    "run: report() is given NaN": "import kftune; kftune.report(val_loss=float('nan'))",
    "run: the script is missing": None,
    "run: the script fails": "print('epoch 1'); raise ValueError('no data')",
    "run: the script knows no such argument": (
        "import sys, toy_hparams; sys.argv.append('--momentum=1'); toy_hparams.Toy.from_args()"
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "toy_hparams.py").write_text(HPARAMS)
    (folder / "raising_hparams.py").write_text("raise RuntimeError('the licence has run out')\n")
    (folder / "needing_hparams.py").write_text("import a_package_that_is_not_there\n")
    (folder / "switched_hparams.py").write_text(SWITCHED)
    (folder / "own_samplers.py").write_text(SAMPLERS)
    (folder / "wrong_samplers.py").write_text("class NoSetting:\n    settings = {'share': 1}\n    proposals = None\n")
    (folder / "study.yaml").write_text(STUDY)
    (folder / "taken_study.yaml").write_text(STUDY)
    for name, script in SCRIPTS_OF_NEW.items():
        (folder / f"{name}.py").write_text(script)
    for name, text in CONFIGS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def kftune_there(project: Path) -> Iterator[Kftune]:
    """Runs a command of kftune in the folder."""
    # Where a traceback of a script has its carets is Python's business, and changes with it.
    with forks(project, {**os.environ, "PYTHONNODEBUGRANGES": "1"}) as there:

        def run(*arguments: str) -> str:
            done = there.run(arguments)
            printed = f"exit {done.status}\n{done.output}"
            return printed.replace(str(project.resolve()), "PROJECT").replace(sys.executable, "PYTHON")

        yield run


def _of_edit(edit: Edit, project: Path, run: Kftune) -> str:
    assert edit.old in STUDY
    (project / "mistake.yaml").write_text(STUDY.replace(edit.old, edit.new, 1))
    return run("show", "mistake.yaml")


def _of_class(declaration: str, project: Path, run: Kftune) -> str:
    source = f"from kftune import *\n\nclass Wrong(Hparams):\n    {declaration}\n"
    (project / "wrong_hparams.py").write_text(source)
    return run("registry", "show", "wrong_hparams:Wrong")


def _of_script(script: str | None, project: Path, run: Kftune, name: str) -> str:
    (project / "train.py").unlink(missing_ok=True)
    if script is not None:
        (project / "train.py").write_text(script + "\n")
    plain = ["budget.parallel=1", "algorithm.name=random", "~algorithm.settings"]
    printed = run("run", "study.yaml", *plain, "--dir", f"runs-{name}")
    printed = printed.replace(str(Path(kftune.__file__).parent), "KFTUNE")
    printed = re.sub(r"\bline \d+", "line N", printed)
    printed = re.sub(r"\b(lr=\S+|units=\d+)", "VALUE", printed)
    return re.sub(r"\b\d+(\.\d+)? ?s\b", "N s", printed)


@pytest.fixture(scope="module")
def texts(project: Path, kftune_there: Kftune) -> dict[str, str]:
    run = kftune_there
    found = {name: _of_edit(edit, project, run) for name, edit in EDITS.items()}
    found |= {name: _of_class(declaration, project, run) for name, declaration in CLASSES.items()}
    found |= {name: run(*arguments) for name, arguments in COMMANDS.items()}
    for index, (name, script) in enumerate(SCRIPTS.items()):
        found[name] = _of_script(script, project, run, str(index))
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", [*EDITS, *CLASSES, *COMMANDS, *SCRIPTS])
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_no_mistake_shows_a_traceback(texts: dict[str, str]) -> None:
    ours = {name: text for name, text in texts.items() if name not in SCRIPTS}
    assert [name for name, text in ours.items() if "Traceback" in text] == []


def test_every_mistake_in_a_file_names_its_place(texts: dict[str, str]) -> None:
    placed = re.compile(r"mistake\.yaml:\d+:\d+: ")
    assert [name for name in EDITS if not placed.search(texts[name])] == []
