from __future__ import annotations

import pytest
from lint_examples import EXAMPLE, example_text
from lint_pages import all_pages
from places import ROOT

from kftune.katib.admission.cluster import Cluster
from kftune.lint.experiment import check_experiment
from kftune.lint.rules.all import RULES
from kftune.lint.rules.rule import MEANINGS, SEVERITIES
from kftune.lint.sources import SourceText, documents

PAGES = ROOT / "docs" / "lint"


def severities_of(text: str) -> dict[str, str]:
    found = documents(SourceText("x.yaml", text, named=True))
    checked = [check_experiment(each, Cluster(), "0.19") for each in found]
    return {finding.code: finding.severity for each in checked for finding in each.findings}


def codes_of(text: str) -> set[str]:
    return set(severities_of(text))


def test_the_example_is_clean():
    assert codes_of(EXAMPLE) == set()


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.fails and code[:3] != "KT4"])
def test_a_rule_reports_its_failing_example_and_not_its_passing_one(code: str):
    rule = RULES[code]
    assert code in codes_of(example_text(rule.fails))
    assert code not in codes_of(example_text(rule.passes))


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.fails and code[:3] != "KT4"])
def test_an_example_has_the_severity_of_its_page(code: str):
    assert severities_of(example_text(RULES[code].fails))[code] == RULES[code].severity


def doubled(algorithm: str) -> dict[str, str]:
    names = f"algorithm: {{algorithmName: {algorithm}}}"
    return severities_of(example_text(RULES["KT213"].fails.replace("spec: {", f"spec: {{{names}, ", 1)))


@pytest.mark.parametrize(
    ("algorithm", "severity"),
    [
        ("random", "hangs"),
        ("tpe", "hangs"),
        ("bayesianoptimization", "hangs"),
        ("sobol", "fails"),
        ("multivariate-tpe", "wrong"),
    ],
)
def test_two_parameters_of_one_name_end_as_the_engine_answers(algorithm: str, severity: str):
    assert doubled(algorithm)["KT213"] == severity


def test_the_pages_are_those_of_the_rules():
    assert {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")} == dict(all_pages())


def test_each_severity_has_a_meaning():
    assert set(MEANINGS) == set(SEVERITIES)
    assert {rule.severity for rule in RULES.values()} <= set(SEVERITIES)


def test_codes_say_what_kind_of_rule_they_are():
    assert all(len(code) == 5 and code[:3] in ("KT1", "KT2", "KT3", "KT4", "KT5") for code in RULES)
    assert all((rule.severity == "advice") for code, rule in RULES.items() if code.startswith("KT3"))


def command(shell: str, script: str) -> dict[str, str]:
    """What lint finds in a command; in the script, P stands for arguments with the trial's parameters."""
    text = script.replace("P", "${trialParameters.lr} ${trialParameters.units}")
    container = f"{{name: main, image: 'r.example/i:1', command: [{shell}], args: ['{text}']}}"
    change = f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {{containers: [{container}]}}}}}}}}}}}}"
    return {code: severity for code, severity in severities_of(example_text(change)).items() if code[:3] == "KT2"}


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("python t.py P 2>&1 | tee log", {"KT252": "advice"}),
        ("python prepare.py && python t.py P", {"KT252": "advice"}),
        ("python t.py P; echo loss=$(cat m.txt)", {"KT252": "advice"}),
        ("python t.py P; echo done", {"KT252": "fails"}),
        ("echo $(date); python t.py P; sleep 1", {"KT252": "fails"}),
        ("python t.py P &", {"KT252": "fails"}),
        ("python t.py P; exit 0", {"KT253": "fails"}),
        ("python t.py P # why", {"KT253": "fails"}),
    ],
)
def test_a_script_that_the_wrapper_breaks_is_reported(script: str, found: dict[str, str]):
    assert command("sh, -c", script) == found


@pytest.mark.parametrize(
    ("script", "severity"),
    [
        ("python3 y.py P", "fails"),
        ("./train.sh P", "wrong"),
        ("cd x && python3 y.py P", "wrong"),
        ("python3 a.py && python3 y.py P", "wrong"),
    ],
)
def test_a_shell_that_katib_does_not_know_runs_one_word(script: str, severity: str):
    assert command("/bin/sh, -c", script) == {"KT250": severity}


@pytest.mark.parametrize(("policy", "found"), [("Never", {"KT216", "KT265"}), ("FromVolume", {"KT216"})])
def test_a_folder_for_trials_needs_its_volume_with_every_algorithm(policy: str, found: set[str]):
    setting = "{name: suggestion_trial_dir, value: /opt/katib/data}"
    algorithm = f"algorithm: {{algorithmName: sobol, algorithmSettings: [{setting}]}}"
    codes = codes_of(example_text(f"spec: {{resumePolicy: {policy}, {algorithm}}}"))
    assert codes & {"KT216", "KT265"} == found
