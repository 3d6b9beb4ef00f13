"""Samplers of one's own: one contract with kftune's, found by module or by entry point, and their mistakes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar

import pytest
from document_blocks import blocks
from local_study import Branches, Net, Tiny, run, sh, study, trials_in
from places import ROOT

from kftune.errors import RunError, StudyError
from kftune.katib.engines.settings import Setting
from kftune.local.samplers import Point, Sampler, Setup, Strategy, Suggestion, make_sampler, numbered_rng
from kftune.results import Score
from kftune.study import ALGORITHMS, Study
from kftune.study.algorithms import HERE_ONLY, declared

NEEDED: dict[str, dict[str, Any]] = {"hyperband": {"resource_name": "units", "r_l": 81}}
OWN = f"{__name__}:Shy"
SEARCH = {"units": {"int": [1, 81]}}  # hyperband gives its resource from 1 on
RUN_HERE = [*(name for name in ALGORITHMS if name not in ("pbt", "grid")), *HERE_ONLY, OWN]


class Shy(Strategy):
    """Proposes what the seed and the number say, and counts what it is told."""

    summary = "draws, and counts"
    patience = 20

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.space, self.seed = setup.space, setup.seed
        self.calls: list[tuple[Any, ...]] = []

    def proposals(self, number: int) -> Iterator[Point]:
        rng = numbered_rng(self.seed, number)
        while True:
            yield self.space.draw(rng.random)

    def accept(self, number: int, point: Point) -> None:
        self.calls.append(("accept", number))

    def tell(self, number: int, value: float | None) -> None:
        self.calls.append(("tell", number, value))


class Fixed(Strategy):
    """Proposes what the test says."""

    points: Callable[[], Iterator[Any]] = staticmethod(lambda: iter(()))
    exclusive = True

    def proposals(self, number: int) -> Iterator[Any]:
        return type(self).points()


def make(what: Any) -> Callable[[Setup], Any]:
    return lambda setup: what


class Bare:
    """No strategy at all, but it has the method."""

    def __init__(self, setup: Setup) -> None: ...

    def proposals(self, number: int) -> Iterator[Point]:
        return iter(())


class Raising(Strategy):
    """Fails when it is told a value."""

    def proposals(self, number: int) -> Iterator[Point]:
        yield {"a": number % 3 + 1, "b": True}

    def tell(self, number: int, value: float | None) -> None:
        raise KeyError("lost")


class Scores(Shy):
    """Takes several objectives, and keeps what it is told of them."""

    several_objectives = True
    told: ClassVar[list[Any]] = []

    def tell_score(self, number: int, score: Score | None) -> None:
        self.told.append((number, score))

    def learn_scores(self, results: Iterable[tuple[Point, Score]]) -> None:
        self.told.append([score for _, score in results])


NO_CLASS = make(3)


def study_of(algorithm: str, **parts: Any) -> Study:
    settings = NEEDED.get(algorithm, {})
    return study(algorithm={"name": algorithm, "settings": settings}, **{"trials": 30, **parts})


def sampler_of(a_study: Study, seed: int = 3) -> Sampler:
    return make_sampler(a_study, a_study.algorithm, "minimize", seed, parallel=2)


def drawn(a_study: Study, seed: int = 3, count: int = 8) -> list[Suggestion]:
    sampler, found = sampler_of(a_study, seed), []
    for number in range(1, count + 1):
        suggestion = sampler.ask(number)
        assert suggestion is not None
        found.append(suggestion)
        sampler.tell(number, None if number % 4 == 0 else float(number))
    return found


@pytest.mark.parametrize("algorithm", RUN_HERE)
def test_a_sampler_stays_in_the_space_whatever_it_is(algorithm):
    a_study = study_of(algorithm, hparams=Net, search=SEARCH)
    for suggestion in drawn(a_study):
        assert suggestion.point.keys() == a_study.space.keys()
        assert all(a_study.space[name].contains(value) for name, value in suggestion.point.items())


@pytest.mark.parametrize("algorithm", RUN_HERE)
def test_a_sampler_repeats_its_choices_with_the_same_seed(algorithm):
    a_study = study_of(algorithm, hparams=Net, search=SEARCH)
    assert drawn(a_study) == drawn(a_study) != drawn(a_study, seed=4)


@pytest.mark.parametrize("algorithm", RUN_HERE)
def test_a_sampler_tries_the_first_points_first(algorithm):
    first = {"lr": 0.01, "units": 81, "optimizer": "sgd"}
    a_study = study_of(algorithm, hparams=Net, search=SEARCH, points=[first])
    assert drawn(a_study)[0].point == first


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *HERE_ONLY, OWN])
def test_a_sampler_declares_its_settings_and_says_what_it_is(algorithm):
    found = declared(algorithm)
    assert found.summary
    assert all(isinstance(setting, Setting) for setting in found.settings.values())


def test_a_sampler_of_ones_own_hears_of_every_trial():
    sampler = sampler_of(study_of(OWN, hparams=Branches))
    suggestion = sampler.ask(1)
    assert suggestion is not None
    sampler.tell(1, 0.5)
    own: Any = sampler._strategy
    assert own._own.calls == [("accept", 1), ("tell", 1, 0.5)]


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ([{"a": 1}], "must propose a value for a, b, but gave no value of b"),
        ([{"a": 1, "b": True, "c": 1}], "must propose a value for a, b, but gave 'c', which is not searched"),
        ([{"a": 4, "b": True}], r"must stay in the domains, but proposed a=4 of Choice\(1, 2, 3\)"),
        ([{"a": 1.5, "b": True}], "must stay in the domains, but proposed a=1.5"),
        ([(1, True)], "must propose a dict of values by dotted name, but gave \\(1, True\\)"),
        ([["a", "b"]], "must propose a dict"),
    ],
)
def test_a_proposal_outside_of_the_space_is_an_error(points: list[Any], problem: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Fixed, "points", staticmethod(lambda: iter(points)))
    with pytest.raises(RunError, match=problem):
        sampler_of(study_of(f"{__name__}:Fixed", hparams=Tiny)).ask(1)


def test_a_proposal_with_a_value_that_its_condition_excludes_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Fixed, "points", staticmethod(lambda: iter([{"optimizer": "adam", "momentum": 0.1}])))
    with pytest.raises(RunError, match="must leave out values that their condition excludes, but gave momentum"):
        sampler_of(study_of(f"{__name__}:Fixed", hparams=Branches)).ask(1)


def test_a_sampler_that_proposes_one_point_for_ever_does_not_hang_the_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Fixed, "points", staticmethod(lambda: repeat({"a": 1, "b": True})))
    monkeypatch.setattr(Fixed, "exclusive", False)
    assert len({suggestion.key for suggestion in drawn(study_of(f"{__name__}:Fixed", hparams=Tiny), count=6)}) == 6


def test_proposals_that_cannot_be_read_are_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Fixed, "points", staticmethod(lambda: None))
    with pytest.raises(RunError, match=r"Fixed has failed: .*TypeError: 'NoneType' object is not iterable"):
        sampler_of(study_of(f"{__name__}:Fixed", hparams=Tiny)).ask(1)


def test_an_error_in_a_sampler_names_it_and_its_line_and_ends_the_run(tmp_path: Path):
    with pytest.raises(RunError, match=r"test_plugged_in:Raising has failed: .*test_plugged_in\.py:\d+: KeyError: 'lo"):
        run(study_of(f"{__name__}:Raising", hparams=Tiny), tmp_path)
    assert [trial.state for trial in trials_in(tmp_path)] != []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Bare", "must make a kftune.local.samplers.Strategy, but made"),
        ("NO_CLASS", "must make a kftune.local.samplers.Strategy, but made 3"),
    ],
)
def test_what_a_sampler_makes_is_a_strategy(name: str, problem: str):
    with pytest.raises(RunError, match=problem):
        sampler_of(study_of(f"{__name__}:{name}"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("NEEDED", "must be a sampler"),
        ("Net", "must be a sampler"),
        ("Shyy", "has no sampler 'Shyy'; did you mean 'Shy'"),
        ("Shy.inner", "has no sampler 'Shy.inner'"),
    ],
)
def test_what_a_study_names_must_be_a_sampler(name: str, problem: str):
    with pytest.raises(StudyError, match=problem):
        study_of(f"{__name__}:{name}")


# -- entry points --------------------------------------------------------------------------------------------------

MODULE = '''
from kftune.local.samplers import Strategy, numbered_rng

class First(Strategy):
    """A sampler in a package."""
    def __init__(self, setup):
        super().__init__(setup)
        self.setup = setup
    def proposals(self, number):
        yield self.setup.space.draw(numbered_rng(self.setup.seed, number).random)
'''
ENTRY_POINTS = """[kftune.samplers]
first = own_package:First
missing = own_package:Second
broken = broken_package:First
twice = own_package:First
"""
FILE = """
name: toy
hparams: toy_hparams:Toy
objective: {metric: loss, direction: minimize}
algorithm: {name: first, seed: 1}
budget: {max_trials: 2}
step: {command: [sh, -c, "echo loss=0.5"], image: "registry.example/toy:1"}
"""
CLASS = "from kftune import *\nclass Toy(Hparams):\n    lr: float = Hparam(0.1, search=Uniform(0, 1))\n"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a study, and below it a folder of installed packages."""
    packages = tmp_path / "packages"
    for name, points in (("own", ENTRY_POINTS), ("other", "[kftune.samplers]\ntwice = other_package:First\n")):
        info = packages / f"{name}_samplers-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-samplers\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
    (packages / "own_package.py").write_text(MODULE)
    (packages / "broken_package.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "study.yaml").write_text(FILE)
    (tmp_path / "toy_hparams.py").write_text(CLASS)
    return tmp_path


def kftune(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; sys.path.append('packages'); from kftune.cli import main; "]
    command[-1] += "sys.exit(main(sys.argv[1:]))"
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_a_sampler_of_an_installed_package_runs_by_its_short_name(installed: Path):
    done = kftune(installed, "run", "study.yaml", "--dir", "runs")
    assert done.returncode == 0, done.stderr
    assert [trial.state for trial in trials_in(installed / "runs")] == ["Succeeded", "Succeeded"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("frist", "unknown algorithm 'frist'; did you mean 'first'?"),
        ("broken", "of own-samplers (broken_package:First) cannot be loaded: ModuleNotFoundError: No module named"),
        ("missing", "of own-samplers (own_package:Second) cannot be loaded: AttributeError: module 'own_package'"),
        ("twice", "two packages have a sampler 'twice': own-samplers and other-samplers; write module:Class instead"),
    ],
)
def test_a_broken_plug_in_is_one_clear_error(installed: Path, name: str, problem: str):
    for command in (("show",), ("render",), ("run",)):
        done = kftune(installed, *command, "study.yaml", f"algorithm.name={name}")
        assert done.returncode == 2
        assert problem in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("kftune: study.yaml:5:19: algorithm.name: ")


def test_entry_points_are_looked_for_only_when_a_name_is_not_known(installed: Path):
    code = (
        "import sys, kftune; kftune.load_study('study.yaml', ['algorithm.name=tpe']); "
        "sys.exit('importlib.metadata' in sys.modules and 'own_package' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_study_with_a_sampler_of_ones_own_renders_with_the_algorithm_that_it_names_for_katib(installed: Path):
    refused = kftune(installed, "render", "study.yaml")
    assert refused.returncode == 2
    assert "study.yaml:5:19: the algorithm first runs on this machine only" in refused.stderr
    done = kftune(installed, "render", "study.yaml", "targets.katib.algorithm=tpe")
    assert "algorithmName: tpe" in done.stdout
    assert "Katib runs tpe in place of first" in done.stderr
    linted = kftune(installed, "lint", "study.yaml")
    assert "study.yaml:5:19: KT400 refused: the algorithm first runs on this machine only" in linted.stdout


def test_the_guide_has_the_sampler_that_the_tests_try():
    assert any("class Near(Strategy)" in block.code for block in blocks(ROOT / "docs/guides/plug-ins.md"))


def of_two_objectives(algorithm: str) -> Study:
    a_study = study_of(algorithm, trials=2)
    parts: dict[str, Any] = {
        name: getattr(a_study, name) for name in ("name", "hparams", "algorithm", "budget", "step")
    }
    parts["objectives"] = [{"metric": "loss", "direction": "minimize"}, {"metric": "size", "direction": "maximize"}]
    return Study(**parts).with_step(command=sh("echo loss=1 size=2"))


def test_a_sampler_that_takes_several_objectives_gets_all_of_them(tmp_path):
    for _ in range(2):
        run(of_two_objectives(f"{__name__}:Scores"), tmp_path)
    assert Scores.told == [[], (1, (1.0, 2.0)), (2, (1.0, 2.0)), [(1.0, 2.0), (1.0, 2.0)]]


def test_a_sampler_that_does_not_say_so_takes_one_objective(tmp_path):
    with pytest.raises(RunError, match="Shy learns from one objective, but the study has 2"):
        run(of_two_objectives(OWN), tmp_path)
