from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lint_examples import EXAMPLE, example_text
from places import CIRCUITS

from kftune.cli.call import call

Lint = Callable[..., tuple[int, str]]


@pytest.fixture
def lint(capsys: pytest.CaptureFixture[str]) -> Lint:
    def run(*arguments: str) -> tuple[int, str]:
        code = call("lint", "", list(arguments))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def as_json(answer: tuple[int, str]) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = json.loads(answer[1])["documents"]
    return documents


def write(folder: Path, text: str, name: str = "e.yaml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_a_clean_experiment_passes(lint: Lint, tmp_path: Path):
    assert lint(write(tmp_path, EXAMPLE)) == (0, "1 Experiment: 1 ok\n")


def test_findings_have_their_place_and_end_in_1(lint: Lint, tmp_path: Path):
    file = write(tmp_path, "kind: Namespace\n---\n" + EXAMPLE.replace("maxTrialCount: 12", "maxTrialCount: 1"))
    code, text = lint(file)
    assert code == 1
    assert f"{file}:16:24: KT107 refused: spec.maxFailedTrialCount" in text
    assert "1 Experiment: 1 refused" in text


def test_the_verdict_is_json_as_documented(lint: Lint, tmp_path: Path):
    (document,) = as_json(lint(write(tmp_path, example_text("spec: {maxTrialCount: 1}")), "--format", "json"))
    assert document["name"] == "circuits-lstm"
    assert (document["admitted"], document["stage"], document["outcome"]) == (False, "webhook", "refused")
    assert document["reasons"] == [
        {
            "field": f"spec.{name}",
            "type": "Invalid",
            "detail": "should be less than or equal to spec.maxTrialCount",
        }
        for name in ("maxFailedTrialCount", "parallelTrialCount")
    ]
    finding = document["findings"][0]
    assert set(finding) == {"code", "severity", "path", "line", "column", "message", "remedy", "page", "file"}


def test_lists_and_folders_are_opened_and_other_objects_passed_over(lint: Lint, tmp_path: Path):
    write(tmp_path, "key: value\n", "values.yaml")
    write(tmp_path, "kind: Deployment\napiVersion: apps/v1\n---\n# nothing\n", "other.yml")
    items = ("-" + textwrap.indent(EXAMPLE, "  ")[1:]) * 2
    write(tmp_path, f"apiVersion: v1\nkind: List\nitems:\n{items}", "list.yaml")
    assert lint(str(tmp_path)) == (0, "2 Experiments: 2 ok; 2 other files passed over\n")


def test_hidden_folders_are_passed_over_and_each_file_is_read_once(lint: Lint, tmp_path: Path):
    for name in (".venv", ".git", "sub"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, EXAMPLE)
    (tmp_path / "link.yaml").symlink_to(tmp_path / "sub" / "e.yaml")
    inside = str(tmp_path / "sub" / "e.yaml")
    assert lint(str(tmp_path), inside, inside) == (0, "1 Experiment: 1 ok\n")


def test_what_a_shell_gives_as_a_file_is_read(tmp_path: Path):
    write(tmp_path, EXAMPLE)
    program = f"{sys.executable} -m kftune lint <(cat {tmp_path}/e.yaml)"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1 Experiment: 1 ok\n"), done.stderr


def test_findings_come_by_file_and_the_summary_counts_them_by_severity(lint: Lint, tmp_path: Path):
    write(tmp_path, EXAMPLE.replace("        backoffLimit: 0\n", ""), "b.yaml")
    write(tmp_path, EXAMPLE.replace("maxTrialCount: 12", "maxTrialCount: 1"), "c.yaml")
    write(tmp_path, "hparams: nosuch:Class\nbudget: {max_trials: 0}\n", "a.yaml")
    lines = lint(str(tmp_path))[1].splitlines()
    told = [line.removeprefix(f"{tmp_path}/").split(": ")[:2] for line in lines if not line.startswith(" ")]
    assert told[:-1] == [
        *[["a.yaml:1:1", "KT400 refused"]] * 2,
        ["a.yaml:1:10", "KT400 refused"],
        ["a.yaml:2:22", "KT400 refused"],
        ["b.yaml:31:9", "KT301 advice"],
        ["c.yaml:12:23", "KT107 refused"],
        ["c.yaml:14:24", "KT107 refused"],
    ]
    assert lines[-1] == "1 study: 1 refused; 2 Experiments: 1 refused, 1 ok; 7 findings: 6 refused, 1 advice"


@pytest.mark.parametrize("key", ["objective", "step", "hparams"])
def test_a_study_with_a_misspelt_key_is_reported_as_a_study(key: str, lint: Lint, tmp_path: Path):
    study = (
        "name: x\nhparams: LstmHparams\nobjective: {metric: a, direction: minimize}\nstep: {module: kftune.training}\n"
    )
    file = write(tmp_path, (study + "budget: {max_trials: 2}\nvalues: {}\n").replace(f"{key}:", f"{key}x:"))
    code, text = lint(file)
    assert code == 1
    assert "KT400 refused" in text
    assert f"did you mean '{key}'" in text


def test_bytes_that_are_no_utf8_are_reported_as_such(lint: Lint, tmp_path: Path):
    (tmp_path / "e.yaml").write_bytes(EXAMPLE.replace("val_loss", "verl\xfcst").encode("latin-1"))
    assert "e.yaml:9:30: KT100 refused: the byte 0xfc here is not UTF-8" in lint(str(tmp_path / "e.yaml"))[1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed_to(stream: io.StringIO, file: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stdout", stream)
    call("lint", "", [file])
    return stream.getvalue()


def test_colours_are_for_terminals_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = write(tmp_path, EXAMPLE.replace("maxTrialCount: 12", "maxTrialCount: 1"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = printed_to(Terminal(), file, monkeypatch)
    plain = printed_to(io.StringIO(), file, monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31mKT107 refused\x1b[0m" in coloured
    assert "\x1b" not in plain
    assert printed_to(Terminal(), file, monkeypatch) == plain


def test_a_file_that_is_not_yaml_gets_a_document(lint: Lint, tmp_path: Path):
    (document,) = as_json(lint(write(tmp_path, "a: [\n"), "--format", "json"))
    assert (document["stage"], document["outcome"], document["name"]) == ("yaml", "refused", None)


def test_an_empty_file_gets_a_document_too(lint: Lint, tmp_path: Path):
    (document,) = as_json(lint(write(tmp_path, ""), "--format", "json"))
    assert (document["stage"], document["message"]) == ("server", "Object 'Kind' is missing in 'null'")


def test_a_kind_of_the_same_name_from_elsewhere_is_passed_over(lint: Lint, tmp_path: Path):
    rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Experiment\nmetadata: {name: a}\n"
    assert lint(write(tmp_path, rollout)) == (0, "0 Experiments: none; 1 other file passed over\n")


def test_a_study_file_is_rendered_and_checked(lint: Lint):
    study = CIRCUITS / "study.yaml"
    assert lint(str(study)) == (0, "1 study; 1 Experiment: 1 ok\n")


def test_standard_input_is_read(lint: Lint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(EXAMPLE.encode())))
    assert lint("-") == (0, "1 Experiment: 1 ok\n")


def test_a_change_is_checked_against_the_existing_object(lint: Lint, tmp_path: Path):
    old = write(tmp_path, EXAMPLE + "status: {trials: 5}\n", "old.yaml")
    new = write(tmp_path, example_text("spec: {maxTrialCount: 5, algorithm: {algorithmName: tpe}}"))
    (document,) = as_json(lint(new, "--against", old, "--format", "json"))
    assert [reason["field"] for reason in document["reasons"]] == ["spec.maxTrialCount", "spec"]


def test_an_unlabelled_namespace_refuses(lint: Lint, tmp_path: Path):
    code, text = lint(write(tmp_path, EXAMPLE), "--namespace-unlabelled")
    assert code == 1
    assert "KT105 refused" in text


def test_rules_are_selected_ignored_and_switched_off(lint: Lint, tmp_path: Path):
    text = EXAMPLE.replace("        backoffLimit: 0\n", "").replace("image: registry.example/lstm:1.2", "image: lstm")
    file = write(tmp_path, text)
    assert lint(file, "--fail-on", "advice")[0] == 1
    assert "KT301" not in lint(file, "--select", "KT305")[1]
    assert lint(file, "--ignore", "KT301,KT305", "--fail-on", "advice")[0] == 0
    silent = write(tmp_path, text.replace("image: lstm", "image: lstm # kftune: ignore[KT305]"), "silent.yaml")
    assert "KT305" not in lint(silent)[1]


def test_advice_does_not_fail_by_default(lint: Lint, tmp_path: Path):
    assert lint(write(tmp_path, EXAMPLE.replace("        backoffLimit: 0\n", "")))[0] == 0


@pytest.mark.parametrize("arguments", [["nowhere.yaml"], [], ["--format", "xml", "x"]])
def test_wrong_use_ends_in_2(lint: Lint, arguments: list[str]):
    assert lint(*arguments)[0] == 2


def test_other_programs_read_the_findings(lint: Lint, tmp_path: Path):
    file = write(tmp_path, EXAMPLE.replace("maxTrialCount: 12", "maxTrialCount: 1"))
    assert f"::error file={file},line=12,col=23,title=KT107::refused: " in lint(file, "--format", "github")[1]
    log = json.loads(lint(file, "--format", "sarif")[1])
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["KT107", "KT107"]


def test_a_living_object_that_does_not_decode_is_wrong_use(lint: Lint, tmp_path: Path):
    old = write(tmp_path, EXAMPLE.replace("maxTrialCount: 12", "maxTrialCount: x"), "old.yaml")
    assert lint(write(tmp_path, EXAMPLE), "--against", old)[0] == 2


def test_it_starts_without_heavy_packages():
    heavy = "{'pydantic', 'optuna', 'torch', 'kfp', 'kubernetes', 'rich', 'kftune.study', 'kftune.render'}"
    program = f"import sys, kftune.cli.lint; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", program], check=True)
