"""What people get to read when they tune a function wrongly: each text stands in tests/snapshots/api_mistakes.txt.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mistake_texts import REMEDY, record, recorded
from python_api import GOOD, call_script

import kftune
from kftune.errors import KftuneError

SNAPSHOTS = "api_mistakes.txt"

FUNCTIONS = f"""{GOOD}
import functools


class Caller:
    def __call__(self, h: Net) -> float:
        return 0.5

    def method(self, h: Net) -> float:
        return 0.5


def nothing():
    return 0.5


def untyped(h):
    return 0.5


def mapping(h: dict) -> float:
    return 0.5


def unknown(h: "Nett") -> float:
    return 0.5


async def later(h: Net) -> float:
    return 0.5


def outer():
    def inner(h: Net) -> float:
        return 0.5

    class Inside(Hparams):
        lr: float = Hparam(0.1, search=LogUniform(0.01, 1.0))

    return inner, Inside


caller = Caller()
partial = functools.partial(untyped)
small = lambda h: 0.5
inner, Inside = outer()


@functools.wraps(several)
def wrapped(h):
    return several(h)


moved = objective
del objective
"""

tune: Any = kftune.tune  # a type checker knows some of these mistakes

CALLS: dict[str, Any] = {
    "function: a lambda": lambda m: kftune.tune(m.small, hparams=m.Net),
    "function: inside another": lambda m: kftune.tune(m.inner),
    "function: an object that can be called": lambda m: kftune.tune(m.caller),
    "function: a method": lambda m: kftune.tune(m.caller.method),
    "function: a partial one": lambda m: kftune.tune(m.partial),
    "function: async": lambda m: kftune.tune(m.later),
    "function: no longer under its name": lambda m: kftune.tune(m.moved),
    "function: its name is that of another": lambda m: kftune.tune(m.wrapped),
    "function: called": lambda m: kftune.tune(m.moved(m.Net())),
    "class: no parameter": lambda m: kftune.tune(m.nothing),
    "class: no annotation": lambda m: kftune.tune(m.untyped),
    "class: another type": lambda m: kftune.tune(m.mapping),
    "class: a misspelt annotation": lambda m: kftune.tune(m.unknown),
    "class: inside a function": lambda m: kftune.tune(m.untyped, hparams=m.Inside),
    "class: given for a file": lambda m: tune("study.yaml", hparams=m.Net),
    "option: misspelt": lambda m: tune(m.several, max_trails=3),
    "option: a direction beside objectives": lambda m: kftune.tune(m.several, objectives=[], direction="maximize"),
    "option: no trials": lambda m: kftune.tune(m.several, max_trials=0),
    "option: an unknown algorithm": lambda m: kftune.tune(m.several, algorithm="tpr"),
    "option: a domain of an unknown name": lambda m: kftune.tune(m.several, search={"lrr": kftune.Uniform(0, 1)}),
    "study: no such file": lambda m: kftune.tune("studi.yaml"),
}

SCRIPTS = {
    "script: not under main": f'{GOOD}\nkftune.tune(objective, max_trials=1, show=False, objective="val_loss")\n',
    "script: defined under main": f"""{GOOD}
if __name__ == "__main__":
    def here(h: Net) -> float:
        return 0.5
    kftune.tune(here, max_trials=1, show=False)
""",
    "notebook: a cell": f"exec({GOOD!r}, globals())\ndel __file__\nkftune.tune(objective, max_trials=1)\n",
}


class Told(NamedTuple):
    """The texts of all mistakes, by name."""

    texts: dict[str, str]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short name: long lines of a log are cut, and its name is in some."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.fixture(scope="module")
def told(folder: Path) -> Told:
    (folder / "wrong.py").write_text(FUNCTIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.chdir(folder)
        module = importlib.import_module("wrong")
        texts = {name: _error(call, module) for name, call in CALLS.items()}
        del sys.modules["wrong"]
    for name, code in SCRIPTS.items():
        errors = call_script(folder, code).stderr
        texts[name] = f"{errors[errors.index('kftune.errors.') :].rstrip()}\n"
    texts = {name: re.sub(r"0x[0-9a-f]+", "0x...", text.replace(str(folder), "FOLDER")) for name, text in texts.items()}
    record(SNAPSHOTS, texts)
    return Told(texts)


def _error(call: Any, module: object) -> str:
    with pytest.raises((KftuneError, OSError)) as caught:
        call(module)
    return f"{type(caught.value).__name__}: {caught.value}\n"


@pytest.mark.parametrize("name", [*CALLS, *SCRIPTS])
def test_a_mistake_has_the_text_that_was_read(name: str, told: Told):
    assert told.texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_every_text_belongs_to_a_mistake(told: Told):
    assert {*recorded(SNAPSHOTS)} == {*CALLS, *SCRIPTS}


def test_a_mistake_leaves_no_results_behind(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KftuneError):
        tune(test_a_mistake_leaves_no_results_behind)
    assert [*tmp_path.iterdir()] == []
