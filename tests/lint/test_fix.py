from __future__ import annotations

import io
import json
import os
import random
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from lint_examples import EXAMPLE, example_text

from kftune.cli.call import call
from kftune.katib.admission.cluster import Cluster
from kftune.lint.experiment import check_experiment
from kftune.lint.fixes import FIXES
from kftune.lint.fixing import fixed as fixed_text
from kftune.lint.placing import Found, placed
from kftune.lint.rules.all import RULES
from kftune.lint.sources import Document, SourceText, documents, is_experiment
from kftune.spec.kind import kind_of

Lint = Callable[..., tuple[int, str, str]]

# Of rules whose own example has no safe remedy: an example that has one.
OTHER_EXAMPLES = {
    "KT102": "metadata: {labels: {team: 5}}",
    "KT103": "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: 0.01, max: '1'}},"
    " {name: units, parameterType: categorical, feasibleSpace: {list: ['32']}}]}",
    "KT104": "spec: {maxTrialCount: null, maxTrialCounts: 12}",
    "KT119": "spec: {trialTemplate: {trialSpec: {spec: {backoffLimit: null, backofLimit: 0}}}}",
    "KT109": "spec: {objective: {type: Minimize}}",
    "KT114": "spec: {parameters: [{name: learning_rate, parameterType: Double, feasibleSpace: {min: '0.01', max: '1'}},"
    " {name: units, parameterType: categorical, feasibleSpace: {list: ['32']}}]}",
}


# Rules with an example Experiment; those of KT4 are about scripts.
REPORTED = [code for code, rule in RULES.items() if rule.fails and not code.startswith("KT4")]


def check(found: Sequence[Document]) -> list[Found]:
    experiments = (each for each in found if is_experiment(each, kind_of(each.value), named=True))
    checked = [check_experiment(document, Cluster(), "0.19") for document in experiments]
    return [(each, list(placed(each))) for each in checked]


def fixed(text: str) -> str:
    return fixed_text(SourceText("x.yaml", text, named=True), check)[0]


def codes_of(text: str) -> list[str]:
    found = check(list(documents(SourceText("x.yaml", text, named=True))))
    return [each.code for _, placed_ones in found for each in placed_ones]


@pytest.fixture
def lint(capsys: pytest.CaptureFixture[str]) -> Lint:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = call("lint", "", list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize("code", FIXES)
def test_a_fix_removes_the_finding_of_its_rule_and_adds_none(code: str):
    text = example_text(OTHER_EXAMPLES.get(code, RULES[code].fails))
    assert code in codes_of(text)
    after = fixed(text)
    assert code not in codes_of(after)
    assert set(codes_of(after)) <= set(codes_of(text))


@pytest.mark.parametrize("code", [code for code in REPORTED if code not in FIXES])
def test_what_has_no_safe_remedy_is_left_as_it_is(code: str):
    text = example_text(RULES[code].fails)
    before = codes_of(text)
    after = fixed(text)
    assert code in codes_of(after)
    assert after == text or len(codes_of(after)) < len(before)


def test_a_clean_text_is_not_touched():
    assert fixed(EXAMPLE) == EXAMPLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('min: "0.0001"', "min: 0.0001"),
        ('max: "0.01"', "max: 1e-2"),
        ('list: ["32", "64"]', "list: [32, yes]"),
        ("goal: 0.01", 'goal: "0.01"'),
        ("maxTrialCount: 12", "maxTrialCount: '12'"),
        ("command: [sh, -c]", "command: [/usr/bin/bash, -c]"),
        ('inject: "false"', "inject: false"),
        ("restartPolicy: Never", "restartPolicy: Always"),
        ("            restartPolicy: Never\n", ""),
        ("            restartPolicy: Never\n", "            restartPolicyy: Never\n"),
        ("backoffLimit: 0", "backofflimit: 0"),
        ("reference: units", "Reference: units"),
        ("        backoffLimit: 0\n", ""),
        ('            annotations: {sidecar.istio.io/inject: "false"}\n', "            labels: {a: b}\n"),
        ('          metadata:\n            annotations: {sidecar.istio.io/inject: "false"}\n', ""),
    ],
)
def test_mistakes_with_one_remedy_are_fixed(old: str, new: str):
    assert old in EXAMPLE
    wrong = EXAMPLE.replace(old, new)
    assert codes_of(wrong)
    assert codes_of(fixed(wrong)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('min: "0.0001"', "min: 0x10"),
        ('min: "0.0001"', "min: 1_000"),
        ('min: "0.0001"', "min: *missing"),
        ("goal: 0.01", "goal: small"),
        ("command: [sh, -c]", "command: [bash, -lc]"),
        ("maxFailedTrialCount: 2", "maxFailedTrialCount: 2\n  maxFailedTrialCounts: 3"),
        ("maxFailedTrialCount: 2", "trialCount: 2"),
    ],
)
def test_what_could_mean_two_things_is_left_as_it_is(old: str, new: str):
    wrong = EXAMPLE.replace(old, new)
    assert codes_of(wrong)
    assert fixed(wrong) == wrong


def test_a_change_that_adds_another_finding_is_not_made():
    wrong = EXAMPLE.replace("command: [sh, -c]", "command: [/bin/sh, -c]").replace(
        '["python', '["python a.py && python'
    )
    assert codes_of(wrong) == ["KT250"]
    assert fixed(wrong) == wrong


def test_one_change_may_need_another():
    wrong = EXAMPLE.replace("command: [sh, -c]", "command: [/bin/sh, -c]").replace('units}"]', 'units}\\n"]')
    assert len(codes_of(wrong)) == 1
    assert fixed(wrong) == EXAMPLE


def test_a_finding_that_is_ignored_is_not_fixed():
    wrong = EXAMPLE.replace("      spec:\n        backoffLimit: 0\n", "      spec:\n", 1)
    silent = wrong.replace("activeDeadlineSeconds: 3600", "activeDeadlineSeconds: 3600 # kftune: ignore[KT301]")
    assert "backoffLimit: 0" in fixed(wrong)
    assert fixed(silent) == silent


def test_items_of_a_list_and_documents_are_fixed_separately():
    item = EXAMPLE.replace('min: "0.0001"', "min: 0.0001")
    listed = "kind: List\nitems:\n" + "".join("- " + item.replace("\n", "\n  ").rstrip() + "\n" for _ in range(2))
    text = f"\ufeff# first\n{item}--- # second\n{listed}---\na: [1, 2]\n"
    expected = text.replace("min: 0.0001", 'min: "0.0001"')
    assert fixed(text) == expected


def test_the_places_are_those_of_the_text_as_it_was(lint: Lint, tmp_path: Path):
    wrong = EXAMPLE.replace("        backoffLimit: 0\n", "").replace("restartPolicy: Never", "restartPolicy: Always")
    file = tmp_path / "e.yaml"
    file.write_text(wrong)
    code, out, _ = lint("--fix", str(file), "--format", "json")
    assert code == 0
    lines = [(each["code"], wrong.splitlines()[each["line"] - 1].strip()) for each in json.loads(out)["fixed"]]
    assert lines == [("KT301", "activeDeadlineSeconds: 3600"), ("KT270", "restartPolicy: Always")]


def test_a_file_keeps_its_mode_its_line_breaks_and_its_link(lint: Lint, tmp_path: Path):
    file, link = tmp_path / "e.yaml", tmp_path / "link.yaml"
    content = EXAMPLE.replace('min: "0.0001"', "min: 0.0001").replace("\n", "\r\n").encode()
    file.write_bytes(content)
    file.chmod(0o640)
    link.symlink_to(file)
    assert lint("--fix", str(link))[0] == 0
    assert file.read_bytes() == content.replace(b"min: 0.0001", b'min: "0.0001"')
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"e.yaml", "link.yaml"}


def test_a_diff_writes_nothing_and_ends_in_1(lint: Lint, tmp_path: Path):
    file = tmp_path / "e.yaml"
    wrong = EXAMPLE.replace("        backoffLimit: 0\n", "")
    file.write_text(wrong)
    code, out, told = lint("--diff", str(file))
    assert code == 1
    assert "\n+        backoffLimit: 0\n" in out
    assert "KT301 would be fixed: add backoffLimit: 0" in told
    assert file.read_text() == wrong
    file.write_text(EXAMPLE)
    assert lint("--diff", str(file))[:2] == (0, "")


def test_standard_input_goes_to_standard_output(lint: Lint, monkeypatch: pytest.MonkeyPatch):
    wrong = EXAMPLE.replace('min: "0.0001"', "min: 0.0001")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(wrong.encode())))
    code, out, told = lint("--fix", "-")
    assert (code, out) == (0, EXAMPLE)
    assert "1 fixed" in told


def test_bytes_that_are_no_utf8_go_out_as_they_came(tmp_path: Path):
    content = EXAMPLE.replace("val_loss", "verl\xfcst").encode("latin-1")
    odd = tmp_path / os.fsdecode(b"\xff.yaml")
    odd.write_bytes(content)
    command = [sys.executable, "-m", "kftune", "lint", "--fix", "-", str(odd)]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, content)
    assert b"\\udcff.yaml:9:30: KT100 refused" in done.stderr


def test_only_what_was_asked_for_is_fixed(lint: Lint, tmp_path: Path):
    file = tmp_path / "e.yaml"
    file.write_text(
        EXAMPLE.replace("        backoffLimit: 0\n", "").replace("restartPolicy: Never", "restartPolicy: X")
    )
    lint("--fix", str(file), "--select", "KT2")
    assert "restartPolicy: Never" in file.read_text()
    assert "backoffLimit" not in file.read_text()


def test_a_namespace_in_another_file_gets_its_label(lint: Lint, tmp_path: Path):
    (tmp_path / "e.yaml").write_text(EXAMPLE.replace("  name: circuits-lstm\n", "  name: a\n  namespace: team-a\n"))
    namespace = tmp_path / "namespace.yaml"
    for labels in (
        "",
        "  labels: {team: a}\n",
        '  labels:\n    katib.kubeflow.org/metrics-collector-injection: "off"\n',
    ):
        namespace.write_text(f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: team-a\n{labels}")
        assert lint(str(tmp_path))[0] == 1
        code, out, _ = lint("--fix", str(tmp_path))
        assert (code, "KT105 fixed" in out) == (0, True)
        assert "metrics-collector-injection: " in namespace.read_text()


def test_a_text_in_another_encoding_is_not_written(lint: Lint, tmp_path: Path):
    file = tmp_path / "e.yaml"
    content = EXAMPLE.replace('min: "0.0001"', "min: 0.0001").encode("utf-16")
    file.write_bytes(content)
    assert lint("--fix", str(file))[0] == 1
    assert file.read_bytes() == content


@pytest.mark.parametrize("seed", range(4))
def test_no_mangled_text_makes_it_crash_or_goes_on_for_ever(seed: int):
    chance = random.Random(seed)
    pieces = [
        "\t",
        "&a ",
        "*a",
        "|",
        ">-",
        "'",
        '"',
        "- ",
        ": ",
        "\n",
        "---\n",
        "<<: ",
        "# c\n",
        "\r\n",
        "🙂",
        "~",
        "[1]",
    ]
    for _ in range(40):
        text = EXAMPLE.replace('"0.01"', "0.01").replace("backoffLimit: 0", "x: 0").replace("[sh, -c]", "[/bin/sh, -c]")
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(text))
            text = text[:start] + chance.choice(pieces) + text[start + chance.choice([0, 0, 1, 7]) :]
        after = fixed(text)
        assert fixed(after) == after
        assert len(codes_of(after)) <= len(codes_of(text)) or not is_admitted(text)


def is_admitted(text: str) -> bool:
    found = check(list(documents(SourceText("x.yaml", text, named=True))))
    return all(judgement.verdict.admitted for judgement, _ in found)


def test_hundreds_of_mistakes_are_fixed_in_seconds():
    numbers = [f"{number}" for number in range(300)]
    wrong = EXAMPLE.replace('["32", "64"]', f"[{', '.join(numbers)}]")
    assert partial(codes_of, fixed(wrong))() == []
