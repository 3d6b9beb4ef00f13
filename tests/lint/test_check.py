"""`kftune.lint.check` and `fix`, as a program calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from json_schema import problems
from lint_examples import EXAMPLE

from kftune.errors import UsageError
from kftune.lint import LintOptions, LintReport, check, fix
from kftune.lint.schema import lint_schema

WRONG = EXAMPLE.replace("maxTrialCount: 12", "maxTrialCount: 1")
WITH_ADVICE = EXAMPLE.replace("        backoffLimit: 0\n", "")


def write(folder: Path, text: str, name: str = "e.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_finding_says_what_where_and_what_to_do(tmp_path: Path):
    file = write(tmp_path, WRONG)
    report = check(file)
    finding = report.findings[0]
    assert (finding.code, finding.severity, finding.file) == ("KT107", "refused", str(file))
    assert (finding.line, finding.column, finding.path) == (12, 23, "spec.parallelTrialCount")
    assert finding.message.startswith("spec.")
    assert finding.remedy.startswith("raise maxTrialCount")
    assert finding.page == "docs/lint/KT107.md"
    assert not report.ok


def test_a_clean_experiment_is_ok(tmp_path: Path):
    report = check([write(tmp_path, EXAMPLE)])
    assert report.ok
    assert report.findings == ()
    assert [(document.name, document.outcome) for document in report.documents] == [("circuits-lstm", "ok")]


def test_advice_fails_only_if_it_is_asked_to(tmp_path: Path):
    report = check(str(write(tmp_path, WITH_ADVICE)))
    assert report.ok
    assert report.fails("advice")
    assert not report.fails("wrong")


def test_options_select_and_ignore_rules(tmp_path: Path):
    file = write(tmp_path, WITH_ADVICE)
    assert [each.code for each in check(file, LintOptions(select=("kt3",))).findings] == ["KT301"]
    assert check(file, LintOptions(ignore=("KT30",))).findings == ()


def test_options_do_not_change():
    with pytest.raises(AttributeError):
        LintOptions(select=("KT2",)).select = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("paths", "options", "message"),
    [
        ([], LintOptions(), "lint needs files, folders or - "),
        (["gone.yaml"], LintOptions(), "gone.yaml is neither a file nor a folder"),
        ([], LintOptions(hparams="a:B"), "--script FILE"),
        ([], LintOptions(select=("KT9",), hparams="a:B"), "unknown rule 'KT9'; rule codes look like KT201"),
    ],
)
def test_wrong_use_is_an_error(paths: list[str], options: LintOptions, message: str):
    with pytest.raises(UsageError, match=message):
        check(paths, options)


def test_files_with_nothing_to_check_are_listed(tmp_path: Path):
    write(tmp_path, "replicas: 3\n", "values.yaml")
    write(tmp_path, EXAMPLE)
    assert check(tmp_path).passed_over == (str(tmp_path / "values.yaml"),)


def test_fix_returns_texts_and_writes_nothing(tmp_path: Path):
    file = write(tmp_path, WITH_ADVICE)
    (text,), report = fix(file)
    assert (text.file, text.before) == (str(file), WITH_ADVICE)
    assert "backoffLimit: 0" in text.after
    assert [each.what for each in report.fixed] == ["add backoffLimit: 0"]
    assert report.findings == ()
    assert file.read_text() == WITH_ADVICE


def as_json_is_described(report: LintReport) -> bool:
    return [*problems(json.loads(json.dumps(report.as_json())), lint_schema())] == []


def test_the_json_is_as_its_schema_says(tmp_path: Path):
    log = write(tmp_path, "val_loss=0.3\nval_acc: 1\n", "train.log")
    file = write(tmp_path, WITH_ADVICE)
    assert as_json_is_described(check(file))
    assert as_json_is_described(check(file, LintOptions(sample_log=log)))
    assert as_json_is_described(fix(file)[1])
    assert as_json_is_described(check(write(tmp_path, WRONG)))


def test_only_a_sample_may_be_missing_in_the_json():
    schema = lint_schema()
    missing = {
        (name, field)
        for name, record in {"": schema, **schema["$defs"]}.items()
        for field in set(record["properties"]) - set(record["required"])
    }
    assert missing == {("ExperimentReport", "sample")}


def test_importing_it_loads_nothing_else():
    program = "import sys, kftune.lint; sys.exit(' '.join(n for n in sys.modules if n.startswith('kftune.lint.')) or 0)"
    subprocess.run([sys.executable, "-c", program], check=True)
