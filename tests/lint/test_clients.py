"""What kubectl's commands and other clients read differently."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from lint_examples import EXAMPLE

from kftune.cli.call import call
from kftune.cli.experiment import choose
from kftune.lint import check

NAMELESS = EXAMPLE.replace("name: circuits-lstm", "generateName: circuits-")


def told(folder: Path, text: str) -> list[str]:
    file = folder / "e.yaml"
    file.write_text(text, encoding="utf-8")
    report = check(file)
    return [f"{each.line}:{each.column} {each.code} {each.severity}: {each.message}" for each in report.findings]


def test_an_experiment_with_generate_name_is_admitted_with_a_note(tmp_path: Path):
    (note,) = told(tmp_path, NAMELESS)
    assert "KT122 advice: kubectl apply refuses generateName" in note


@pytest.mark.parametrize("prefix", ["Circuits-", "1circuits-", "c" * 36])
def test_the_generated_name_has_the_same_rules_as_a_given_one(prefix: str, tmp_path: Path):
    found = told(tmp_path, NAMELESS.replace("generateName: circuits-", f"generateName: {prefix}"))
    assert any("refused: metadata." in each for each in found)


def test_an_experiment_without_any_name_is_refused(tmp_path: Path):
    found = told(tmp_path, EXAMPLE.replace("name: circuits-lstm", "labels: {a: b}", 1))
    assert ["KT102 refused: metadata.name: name or generateName is required" in each for each in found] == [True]


def test_a_run_names_an_experiment_with_generate_name_and_says_so(tmp_path: Path):
    (tmp_path / "e.yaml").write_text(NAMELESS, encoding="utf-8")
    chosen = choose(tmp_path / "e.yaml", None, [])
    assert chosen.value["metadata"]["name"] == "circuits"
    assert chosen.notes == [
        "the Experiment has generateName; here its name is circuits, on a cluster five letters or digits follow"
    ]


def test_a_key_that_is_given_twice_is_told_at_its_second_place(tmp_path: Path):
    text = EXAMPLE.replace("  maxTrialCount: 12\n", "  maxTrialCount: 12\n  maxTrialCount: 12\n")
    line = text.splitlines().index("  maxTrialCount: 12") + 2
    (found,) = told(tmp_path, "kind: Namespace\n---\n" + text)
    assert found.startswith(f"{line + 2}:3 KT122 advice: 'maxTrialCount' is given twice")
    silenced = text.replace("12\n  maxTrialCount: 12", "12\n  maxTrialCount: 12  # kftune: ignore[KT122]")
    assert told(tmp_path, silenced) == []


def test_a_kind_in_lower_case_and_a_limit_in_bytes_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (kind,) = told(tmp_path, EXAMPLE.replace("kind: Experiment", "kind: experiment"))
    assert "kubectl create takes it" in kind
    (label,) = told(tmp_path, EXAMPLE.replace("metadata:\n", "metadata:\n  labels: {a: " + "ä" * 40 + "}\n", 1))[:1]
    assert "no more than 63 characters (bytes of UTF-8 count)" in label
    (tmp_path / "e.yaml").write_text(NAMELESS, encoding="utf-8")
    assert call("lint", "", [str(tmp_path / "e.yaml")]) == 0
    assert "1 Experiment: 1 ok; 1 finding: 1 advice" in capsys.readouterr().out


def test_what_yaml_and_katib_fill_in_is_told(tmp_path: Path):
    (word,) = told(tmp_path, EXAMPLE.replace("name: learning_rate", "name: n", 1))
    assert word.endswith("of type string; YAML reads n as false")
    (number,) = told(tmp_path, EXAMPLE.replace("name: learning_rate", "name: 7", 1))
    assert number.endswith("; 7 has no quotes")
    counts = EXAMPLE.replace("  parallelTrialCount: 2\n", "").replace("maxTrialCount: 12", "maxTrialCount: 2")
    found = told(tmp_path, counts)
    assert any(each.endswith(": none is written, and Katib's default is 3") for each in found)
    bayes = EXAMPLE.replace("Name: random", "Name: bayesianoptimization").replace(", distribution: logUniform", "")
    (drawn,) = [each for each in told(tmp_path, bayes) if "KT207" in each]
    assert drawn.endswith("not uniform (Katib's default, as none is written)")


def test_a_key_that_a_list_gives_twice_is_told_once(tmp_path: Path):
    item = EXAMPLE.replace("  maxTrialCount: 12\n", "  maxTrialCount: 12\n  maxTrialCount: 12\n")
    items = ("-" + textwrap.indent(item, "  ")[1:]) * 2
    found = told(tmp_path, f"apiVersion: v1\nkind: List\nitems:\n- kind: Namespace\n{items}")
    assert len(found) == 2
