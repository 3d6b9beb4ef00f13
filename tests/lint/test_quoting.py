"""Quotes in a container's command and args: those for Katib's shell line, and those that are lost or kept wrongly."""

from __future__ import annotations

import pytest
from lint_examples import example_text

from kftune.katib.admission.cluster import Cluster
from kftune.lint.experiment import check_experiment
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import SourceText, documents


def serious(command: str, more: str = "") -> list[Finding]:
    """Returns what is found for a command, apart from advice; the placeholders follow as further arguments."""
    fields = f"command: {command}, args: ['${{trialParameters.lr}}', '${{trialParameters.units}}']"
    inside = f"spec: {{containers: [{{name: main, image: 'r.example/i:1', {fields}}}]}}"
    text = example_text(f"spec: {{{more}trialTemplate: {{trialSpec: {{spec: {{template: {{{inside}}}}}}}}}}}")
    (document,) = documents(SourceText("x.yaml", text, named=True))
    return [each for each in check_experiment(document, Cluster(), "0.19").findings if each.severity != "advice"]


@pytest.mark.parametrize(
    "command",
    [
        """[python, t.py, '--lr="${trialParameters.lr}"']""",
        """[python, t.py, "--lr='${trialParameters.lr}'"]""",
        """[python, t.py, '"a b"', '--name="a b"', "--json='{}'"]""",
        """[python, t.py, '--lr=\\${trialParameters.lr}']""",
        """['python -c "print(1)"']""",
        """[python, '-c', '"print(1)"']""",
        """[python, 't.py --lr=1 --name="a b"']""",
    ],
)
def test_quotes_around_all_of_a_value_are_for_katibs_shell(command: str):
    assert serious(command) == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("['exec python t.py']", "KT253"),
        ("[python, '-c', 'print(1)']", "KT254"),
        ("""[python, t.py, '--json={"a": 1}']""", "KT254"),
        ("""[python, t.py, '--json={"a":1}']""", "KT254"),
        ("[python, t.py, '--name=a b']", "KT254"),
        ("""[python, t.py, 'say "hi"']""", "KT254"),
        ("""[python, t.py, '--home="$HOME"']""", "KT254"),
        ("[/bin/sh, '-c', 'train --lr=1']", "KT250"),
        ("""[python, t.py, '--lr="\\${trialParameters.lr}"']""", "KT254"),
        ("""['python t.py --lr="\\${trialParameters.lr}"']""", "KT254"),
    ],
)
def test_other_words_that_the_shell_changes_are_found(command: str, code: str):
    assert [each.code for each in serious(command)] == [code]


def test_without_a_shell_line_quotes_reach_the_program():
    push = "metricsCollectorSpec: {collector: {kind: Push}, source: null}, "
    (found,) = serious("""[python, t.py, '--lr="${trialParameters.lr}"']""", push)
    assert (found.code, "no shell" in found.message) == ("KT254", True)
    assert serious("""[python, t.py, '--json={"a": 1}']""", push) == []
