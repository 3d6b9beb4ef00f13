"""`kftune lint --no-import` runs no code of what it checks, and `kftune lint` says whose code it ran."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kftune import lint
from kftune.cli import main
from kftune.errors import NotImportedError
from kftune.hparams import Hparams
from kftune.hparams.imports import watched_imports
from kftune.hparams.unimported import read_class
from kftune.lint.options import LintOptions
from kftune.spec.classes import load_class

RUNS = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
STUDY = """\
name: s
hparams: {}
objective: {{metric: loss, direction: minimize}}
algorithm: {}
budget: {{max_trials: 2}}
stopping: {}
step: {{command: [python, train.py], image: registry.example/a@sha256:{}, args: [{}]}}
"""
CLASS = """
from typing import Literal, Optional

from pydantic import field_validator

from kftune import Choice, Hparam, Hparams, LogUniform
from kftune.hparams.models.lstm import LstmHparams

LEAST = 1e-4


class Optimizer(Hparams):
    name: Literal["adam", "sgd"] = "adam"
    betas: tuple[float, ...] = (0.9, 0.99)


class Net(Hparams):
    '''A net.'''

    lr: float = Hparam(1e-3, gt=0, search=LogUniform(LEAST, LEAST * 100))
    '''Step size.'''
    width: int = Hparam(64, ge=1, search=Choice(32, 64), description="Channels.")
    seed: int
    optimizer: Optimizer = Hparam(default_factory=Optimizer)
    sizes: list[int] = Hparam(default_factory=list)
    extra: dict[str, float] = {}
    note: "str | None" = None
    other: Optional[int] = None

    @field_validator("lr")
    def check(cls, value):
        return value


class Wider(Net):
    width: int = Hparam(256, ge=1)


class Longer(LstmHparams):
    more: bool = False
"""


def write(folder: Path, name: str, hparams: str, **more: str) -> Path:
    path = folder / name
    algorithm, stopping = more.get("algorithm", "{name: random}"), more.get("stopping", "{}")
    path.write_text(STUDY.format(hparams, algorithm, stopping, "a" * 64, more.get("args", "")))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unread_net.py").write_text(RUNS + CLASS)
    (tmp_path / "unread_odd.py").write_text(
        f"{RUNS}import os\nfrom kftune import *\nclass Odd(Hparams):\n    a: int = os.getpid()\n"
    )
    (tmp_path / "unread_rule.py").write_text(RUNS)
    (tmp_path / "train.py").write_text(RUNS)
    return tmp_path


def imported(name: str) -> bool:
    return name in sys.modules


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"algorithm": "{name: 'unread_rule:Mine'}"},
        {"stopping": "{'unread_rule:Mine': {}}"},
        {"args": "unread_rule:Mine"},
    ],
    ids=["class", "sampler", "rule", "argument"],
)
@pytest.mark.parametrize(
    "hparams", ["unread_net:Net", "unread_odd:Odd", "unread_rule:Missing", "registered", "kftune.__main__:Net"]
)
def test_no_code_of_a_checked_folder_runs(folder, capsys, hparams, more):
    write(folder, "study.yaml", hparams, **more)
    (folder / "kftune.yaml").write_text("kind: project\nname: p\nregistry: [unread_odd]\n")
    main(["lint", str(folder), "--no-import", "--fail-on", "never"])
    assert not (folder / "ran").exists()
    assert not any(map(imported, ("unread_net", "unread_odd", "unread_rule")))
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["unread_net.py:Net", "unread_net:Net"])
def test_a_class_that_was_read_is_compared_with_a_script(folder, capsys, name):
    (folder / "train.py").write_text(f"{RUNS}import argparse\nargparse.ArgumentParser().add_argument('--lr')\n")
    main(["lint", "--hparams", name, "--script", "train.py", "--no-import", "--fail-on", "never"])
    assert "train.py" in capsys.readouterr().out
    assert not (folder / "ran").exists()


def test_a_class_that_its_source_shows_is_judged_and_others_are_named(folder, capsys):
    write(folder, "a.yaml", "unread_net:Net\nvalues: {seed: 1}")
    write(folder, "b.yaml", "unread_odd:Odd")
    assert main(["lint", "a.yaml", "b.yaml", "--no-import", "--fail-on", "refused"]) == 0
    out = capsys.readouterr().out
    assert "a.yaml: unread_net:Net was read from its source, so what its methods refuse is unknown" in out
    assert (
        "b.yaml: not judged (--no-import): module unread_odd must not be imported, and its source does not show" in out
    )
    assert "unread_odd.py:6: os.getpid is not a class of these files" in out
    assert "2 studies; 1 Experiment: 1 ok" in out


def test_what_a_study_gets_wrong_of_a_class_that_was_read_is_found(folder, capsys):
    write(folder, "a.yaml", "unread_net:Net\nvalues: {widht: 3}")
    assert main(["lint", "a.yaml", "--no-import"]) == 1
    assert "values.widht: Net has no hyperparameter 'widht'; did you mean 'width'?" in capsys.readouterr().out


def test_lint_says_which_modules_it_imported(folder, capsys):
    (folder / "imported_net.py").write_text(CLASS)
    write(folder, "a.yaml", "imported_net:Net")
    main(["lint", "a.yaml"])
    assert f"imported: imported_net ({folder / 'imported_net.py'})" in capsys.readouterr().out
    main(["lint", "a.yaml", "--format", "json"])
    [study] = json.loads(capsys.readouterr().out)["studies"]
    assert [module["name"] for module in study["imported"]] == ["imported_net"]


def test_from_python_nothing_is_imported_either(folder):
    write(folder, "study.yaml", "unread_net:Net\nvalues: {seed: 1}")
    [study] = lint.check("study.yaml", LintOptions(no_import=True)).studies
    assert (study.read, study.imported, study.not_imported) == (("unread_net:Net",), (), ())
    assert not imported("unread_net")


@pytest.mark.parametrize("name", ["Net", "Wider", "Longer", "Optimizer"])
def test_a_class_that_was_read_is_like_the_imported_one(tmp_path, name):
    module = f"twice_{name.lower()}"
    (tmp_path / f"{module}.py").write_text(CLASS)
    read = read_class(module, name, (tmp_path,))
    made = load_class(f"{module}:{name}", (tmp_path,))
    assert issubclass(read, Hparams)
    assert {key: str(leaf).replace("typing.Optional[str]", "str | None") for key, leaf in read.leaves().items()} == {
        key: str(leaf) for key, leaf in made.leaves().items()
    }


@pytest.mark.parametrize(
    "source",
    [
        "class A(Hparams):\n    a: int = open('x').read()\n",
        "class A(Hparams, metaclass=Meta):\n    a: int = 1\n",
        "@decorated\nclass A(Hparams):\n    a: int = 1\n",
        "class A(Hparams):\n    a: int = 1\n    print('x')\n",
        "class A(Hparams):\n    a: eval('1') = 1\n",
        "class A(Hparams):\n    a: Choice[int] = 1\n",
        "class A(Hparams):\n    a: int = Hparam(1, **settings)\n",
        "class A(A):\n    a: int = 1\n",
        "class A(B):\n    a: int = 1\nclass B(A):\n    b: int = 1\n",
        "class A(Hparams):\n    a: int = Hparam('x', gt='y')\n",
        "class A(Hparams):\n    a: '(' = 1\n",
        "class A(Hparams):\n    a: int = Hparam(search=LogUniform(3, 1))\n",
        "class A(Hparams):\n    a: int = Hparam(1, search=LogUniform('a'))\n",
        "class A(Hparams):\n    a: int = Hparam(1, 2, 3)\n",
        "class A(Hparams):\n    a: tuple[int, 3] = ()\n",
        "class A(Hparams):\n    a: Literal[[]] = 1\n",
        "class A(Hparams):\n    a: int = LogUniform(1, 2, step=3)\n",
        "class A(Hparams):\n    a: dict[int] = {}\n",
        "class A(Hparams):\n    model_config: int = 1\n",
        "def A(): pass\n",
        "not python",
    ],
)
def test_any_other_class_is_refused_with_a_reason(tmp_path, source):
    (tmp_path / "odd_one.py").write_text(f"from typing import Literal\nfrom kftune import *\n{source}")
    with watched_imports(refused=True), pytest.raises(NotImportedError, match="its source does not show"):
        load_class("odd_one:A", (tmp_path,))
