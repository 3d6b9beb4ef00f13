"""Small files that ask for much: what they cost, and how much is said about them, is bounded."""

from __future__ import annotations

import pytest
from growth import is_linear
from lint_examples import EXAMPLE

from kftune import yaml_text
from kftune.errors import StudyError, YamlError
from kftune.katib.admission.cluster import Cluster
from kftune.katib.go.reading import NotYamlError, read
from kftune.lint.experiment import check_experiment
from kftune.lint.placing import placed
from kftune.lint.sources import SourceText, documents
from kftune.near import meant
from kftune.study import load_study

LONG_TEXT = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 60)}]\n"
LONG_KEY = f"a: &a {{{'x' * 1000}: 1}}\nb: [{', '.join(['*a'] * 6000)}]\n"
NESTED = f"a: &a [{'x' * 1000}]\nb: &b [{', '.join(['*a'] * 100)}]\nc: [{', '.join(['*b'] * 100)}]\n"
STUDY = """\
name: small
hparams: lstm
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 3}
step: {command: [python, train.py]}
"""


@pytest.mark.parametrize("text", [LONG_TEXT, LONG_KEY, NESTED])
def test_aliases_add_a_bounded_number_of_characters(text):
    with pytest.raises(YamlError, match="more than 5,000,000 characters; use fewer"):
        yaml_text.load(text)
    with pytest.raises(NotYamlError, match="past 5,000,000 characters; write fewer"):
        read(text)


def test_a_long_text_without_aliases_and_short_aliases_are_read():
    text = f"a: &a {{b: c}}\nd: [{', '.join(['*a'] * 1000)}]\ne: {'x' * 6_000_000}\n"
    assert yaml_text.load(text) == read(text)


def unknown_keys(count: int) -> str:
    return "".join(f"unknown_{number}: 1\n" for number in range(count))


def test_ten_of_many_unknown_keys_are_told_and_the_others_counted(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY + unknown_keys(2000))
    with pytest.raises(StudyError) as caught:
        load_study(file)
    message = str(caught.value)
    assert message.count("Study has no key") == 10
    assert "and 1990 more unknown keys" in message
    assert len(message) < 4000


@pytest.mark.parametrize("extra", [unknown_keys(2000).replace("unknown", "  unknown"), "  maxTrialCount: 1\n" * 2000])
def test_ten_of_many_fields_that_katib_drops_are_told_and_the_others_counted(extra):
    text = EXAMPLE.replace("spec:\n", f"spec:\n{extra}", 1)
    (document,) = documents(SourceText("e.yaml", text, named=True))
    found = [finding.message for finding in placed(check_experiment(document, Cluster(), "0.19"))]
    assert len(found) < 30
    assert any("and 199" in message for message in found)


def test_a_long_name_is_near_no_other():
    assert meant("x" * 100_000, ["x" * 100, "lr"]) == []


def test_blank_lines_cost_no_more_than_they_are_long():
    def survives(text: str) -> None:
        assert [*documents(SourceText("x.yaml", text, named=True))]

    assert is_linear(survives, "\n" * 20_000 + "kind: x\n", "\n" * 40_000 + "kind: x\n")
