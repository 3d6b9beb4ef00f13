"""Rules of one's own: of a module beside the study, and of an installed package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mistake_texts import printed
from stopping_examples import curve, replay, stops

from kftune.errors import StudyError
from kftune.results import open_results
from kftune.stopping import Histories, History, TrialRule, rules_from_spec, spec_from_rules
from kftune.study import load_study

RULE = '''
from typing import ClassVar

from kftune.stopping import Histories, History, Reports, TrialRule


class Hopeless(TrialRule):
    """Ends a trial that has not halved its first value."""

    kind: ClassVar[str] = "hopeless"
    short: ClassVar[str] = "after"

    after: Reports = 5
    """The report at which it must have done so."""

    def can_judge(self, history: History) -> bool:
        return history.count >= self.after

    def judge(self, trial: int, histories: Histories) -> str:
        own = histories.of(trial)
        if own.count != self.after or own.best is None or own.best <= own.values[0] / 2:
            return ""
        return f"its best value {own.best:g} is not half of {own.values[0]:g}"
'''
STUDY = """
name: net
hparams: LstmHparams
objective: {metric: loss, direction: minimize}
budget: {max_trials: 2}
algorithm: {seed: 7}
step: {command: [python, train.py]}
stopping: STOPPING
"""
TRAIN = """
import time
for epoch in range(1, 100):
    print(f"loss={1 + 1 / epoch}", flush=True)
    time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "rules_of_mine.py").write_text(RULE)
    (folder / "train.py").write_text(TRAIN)
    (folder / "study.yaml").write_text(STUDY.replace("STOPPING", '{"rules_of_mine:Hopeless": {after: 4}}'))
    return folder


def test_a_rule_of_a_module_beside_the_study_stops_its_trials(project):
    text = printed(["run", "study.yaml", "--plain"], project)
    assert text.startswith("exit 0\n")
    assert "EarlyStopped" in text
    with open_results(project / "runs" / "net") as results:
        trials = results.trials()
    assert [trial.message for trial in trials] == [
        "stopped early by rules_of_mine:Hopeless: its best value 1.25 is not half of 2"
    ] * 2


def test_its_key_stays_when_the_study_is_written_again(project):
    study = load_study(project / "study.yaml")
    assert study.to_dict()["stopping"] == {"rules_of_mine:Hopeless": {"after": 4}}


def test_its_short_form_is_read(project):
    (project / "short.yaml").write_text(STUDY.replace("STOPPING", '{"rules_of_mine:Hopeless": 7}'))
    (rule,) = load_study(project / "short.yaml").stopping
    assert rule.model_dump() == {"after": 7}


def test_its_settings_are_checked(project):
    (project / "wrong.yaml").write_text(STUDY.replace("STOPPING", '{"rules_of_mine:Hopeless": {befor: 7}}'))
    with pytest.raises(StudyError, match="Hopeless has no key 'befor'; known: after"):
        load_study(project / "wrong.yaml")


class Impatient(TrialRule):
    """A rule that exists in Python only."""

    kind = "impatient"

    def can_judge(self, history: History) -> bool:
        return True

    def judge(self, trial: int, histories: Histories) -> str:
        return "no time" if histories.of(trial).count > 2 else ""


def test_a_rule_made_in_python_has_the_place_of_its_class_as_its_key():
    assert spec_from_rules([Impatient()]) == {f"{__name__}:Impatient": {}}
    assert rules_from_spec([Impatient()]) == (Impatient(),)
    assert stops(replay(Impatient(), {1: curve(1, 4)})) == [(1, 3), (1, 4)]


def test_an_installed_package_adds_a_rule_by_its_entry_point(tmp_path):
    """Another process: entry points are searched when it starts."""
    (tmp_path / "more_rules.py").write_text(RULE)
    (tmp_path / "more_rules-1.dist-info").mkdir()
    (tmp_path / "more_rules-1.dist-info" / "METADATA").write_text("Name: more-rules\nVersion: 1\n")
    points = "[kftune.stopping_rules]\nhopeless = more_rules:Hopeless\n"
    (tmp_path / "more_rules-1.dist-info" / "entry_points.txt").write_text(points)
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from kftune.stopping import rules_from_spec, spec_from_rules
from kftune.study.schema import study_schema
assert "hopeless" in study_schema()["$defs"]["Stopping"]["properties"]
assert spec_from_rules(rules_from_spec({{"hopeless": 3}})) == {{"hopeless": {{"after": 3}}}}
try:
    rules_from_spec({{"hopeles": 3}})
except Exception as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("unknown stopping rule 'hopeles'; did you mean 'hopeless'?\n", "")


def test_no_package_is_searched_for_a_rule_that_kftune_has():
    script = """
import sys
from kftune.stopping import rules_from_spec
rules_from_spec({"bandit": {"slack_factor": 0.1}, "median": {}})
print([name for name in ("kftune.plug_ins", "importlib.metadata", "kftune.stopping.asha") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "kftune.plug_ins" not in done.stdout
    assert "asha" not in done.stdout
