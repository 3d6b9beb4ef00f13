"""What people get to read when the stopping rules of a study are wrong: each text stands in stopping_mistakes.txt.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

import pytest
from json_schema import problems
from mistake_texts import REMEDY, printed, record, recorded

from kftune import yaml_text
from kftune.study.schema import study_schema

SNAPSHOTS = "stopping_mistakes.txt"
STUDY = """\
name: net
hparams: LstmHparams
objective: {metric: val_loss, direction: minimize}
metrics: [accuracy]
budget: {max_trials: 2, wall_clock: 1h}
step: {module: net.train}
"""
PLUG_INS = """
from typing import ClassVar
from kftune.stopping import TrialRule

class NoRule:
    pass

class Half(TrialRule):
    kind: ClassVar[str] = "half"
"""
STOPPING = {
    "an unknown rule": "{bandt: {slack_factor: 0.1}}",
    "a rule of another tool": "{hyperbnd: {max_resource: 9}}",
    "a text": "bandit",
    "a number for the settings": "{bandit: 5}",
    "a list for the settings": "{no_improvement: [5]}",
    "a list of texts": "[bandit]",
    "a wrong rule in a list": "[{bandit: {slack_factor: 0.1}}, {medain: {}}]",
    "bandit: no slack": "{bandit: {interval: 5}}",
    "bandit: two slacks": "{bandit: {slack_factor: 0.1, slack_amount: 0.1}}",
    "bandit: Azure's name of a setting": "{bandit: {slack_factor: 0.1, evaluation_interval: 5}}",
    "bandit: a negative slack": "{bandit: {slack_factor: -0.1}}",
    "bandit: a slack in percent": "{bandit: {slack_factor: 10%}}",
    "bandit: an endless slack": "{bandit: {slack_factor: .inf}}",
    "bandit: no interval": "{bandit: {slack_factor: 0.1, interval: 0}}",
    "bandit: half an interval": "{bandit: {slack_factor: 0.1, interval: 2.5}}",
    "bandit: true for a number": "{bandit: {slack_factor: true}}",
    "median: Katib's name of a setting": "{median: {min_trials_required: 3}}",
    "median: no trials": "{median: {min_trials: 0}}",
    "truncation: no percentage": "{truncation: {interval: 2}}",
    "truncation: all trials": "{truncation: {percentage: 100}}",
    "truncation: a share": "{truncation: {percentage: 0.2}}",
    "percentile: nobody stays": "{percentile: {keep: 0}}",
    "percentile: Optuna's name of a setting": "{percentile: {percentile: 25}}",
    "asha: a factor of one": "{asha: {reduction_factor: 1}}",
    "asha: an unknown type": "{asha: {type: promote}}",
    "hyperband: a type that is no text": "{hyperband: {max_resource: 27, type: true}}",
    "asha: resources in the wrong order": "{asha: {min_resource: 9, max_resource: 3}}",
    "asha: too many brackets": "{asha: {min_resource: 1, max_resource: 9, brackets: 4}}",
    "hyperband: no max_resource": "{hyperband: {}}",
    "hyperband: one bracket": "{hyperband: {max_resource: 2}}",
    "threshold: no limit": "{threshold: {}}",
    "threshold: limits that stop each trial": "{threshold: {above: 1, below: 2}}",
    "threshold: a metric that the study does not have": "{threshold: {metric: acuracy, below: 0.1}}",
    "threshold: the objective by name": "{threshold: {metric: val_loss, above: 10}}",
    "plateau: no patience": "{plateau: {min_delta: 0.1}}",
    "plateau: a metric without a direction": "{plateau: {patience: 3, metric: accuracy}}",
    "plateau: a direction without a metric": "{plateau: {patience: 3, direction: minimize}}",
    "plateau: a wrong direction": "{plateau: {patience: 3, metric: accuracy, direction: max}}",
    "no_improvement: no trials": "{no_improvement: 0}",
    "target: nothing": "{target: {}}",
    "target: a number": "{target: {metrics: {accuracy: 0.9}}}",
    "target: no bound": "{target: {metrics: {accuracy: {}}}}",
    "target: bounds without a value between them": "{target: {metrics: {accuracy: {at_least: 2, at_most: 1}}}}",
    "target: a metric that the study does not have": "{target: {metrics: {character_accuracy: {at_least: 0.9}}}}",
    "target: a metric beside the metrics": "{target: {accuracy: {at_least: 0.9}}}",
    "target: two": "[{target: {convergence_epochs: 3}}, {target: {convergence_epochs: 4}}]",
    "wall_clock: twice": "{wall_clock: 2h}",
    "wall_clock: no duration": "{wall_clock: soon}",
    "max_cost: no price": "{max_cost: {limit: 5}}",
    "max_cost: no money": "{max_cost: {limit: 0, per_hour: 1}}",
    "a file for a module": '{"own_rules.py:Half": {}}',
    "a misspelt module": '{"own_rule:Half": {}}',
    "a rule of a module that is not there": '{"missing:Half": {}}',
    "a rule that its module does not have": '{"own_rules:Hlaf": {}}',
    "a class that is no rule": '{"own_rules:NoRule": {}}',
    "a rule without what a rule must have": '{"own_rules:Half": {}}',
}
NOT_IN_THE_SCHEMA = {
    "bandit: no slack",
    "bandit: two slacks",
    "asha: resources in the wrong order",
    "asha: too many brackets",
    "hyperband: one bracket",
    "plateau: a metric without a direction",
    "plateau: a direction without a metric",
    "wall_clock: twice",
    "wall_clock: no duration",
    "bandit: an endless slack",
    "threshold: no limit",
    "threshold: limits that stop each trial",
    "threshold: a metric that the study does not have",
    "threshold: the objective by name",
    "target: nothing",
    "target: no bound",
    "target: bounds without a value between them",
    "target: a metric that the study does not have",
    "target: two",
    "a file for a module",
    "a misspelt module",
    "a rule of a module that is not there",
    "a rule that its module does not have",
    "a class that is no rule",
    "a rule without what a rule must have",
}
"""Mistakes that need more than one value, or a file: an editor does not find these."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = {}
    folder = tmp_path_factory.mktemp("study")
    (folder / "own_rules.py").write_text(PLUG_INS)
    for name, stopping in STOPPING.items():
        (folder / "study.yaml").write_text(f"{STUDY}stopping: {stopping}\n")
        found[name] = printed(["run", "study.yaml"], folder)
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", STOPPING)
def test_the_text_of_a_mistake_is_as_recorded(texts, name):
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


@pytest.mark.parametrize("name", STOPPING)
def test_a_mistake_has_its_line_and_no_traceback(texts, name):
    assert texts[name].startswith("exit 2\nkftune: study.yaml:7:")
    assert "Traceback" not in texts[name]


@pytest.mark.parametrize("name", [name for name in STOPPING if name not in NOT_IN_THE_SCHEMA])
def test_an_editor_finds_a_mistake_by_the_schema(name):
    assert [*problems(yaml_text.load(f"{STUDY}stopping: {STOPPING[name]}\n"), study_schema())] != []
