from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from json_schema import problems
from lint_examples import EXAMPLE_HPARAMS, EXAMPLE_STUDY

from kftune.cli.call import call
from kftune.lint.schema import lint_schema

Lint = Callable[..., tuple[int, str]]

PIPELINE = """\
name: toy
defaults: {image: registry.example/toy:1}
steps:
  tune:
    kind: tune
    image: registry.example/launcher:1
    study: study.yaml
  train:
    kind: train
    command: [python, train.py]
    hparams: toy_hparams:ToyHparams
    values_from: ${steps.tune.outputs.best}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "toy_hparams.py").write_text(EXAMPLE_HPARAMS)
    (tmp_path / "study.yaml").write_text(EXAMPLE_STUDY)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("toy_hparams", None)  # other tests have one too
    yield tmp_path
    sys.modules.pop("toy_hparams", None)


@pytest.fixture
def lint(capsys: pytest.CaptureFixture[str]) -> Lint:
    def run(*arguments: str) -> tuple[int, str]:
        code = call("lint", "", list(arguments))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def report(answer: tuple[int, str]) -> dict[str, Any]:
    """What lint printed as JSON, which is as its schema says."""
    found: dict[str, Any] = json.loads(answer[1])
    assert [*problems(found, lint_schema())] == []
    return found


def test_the_experiment_of_a_tune_step_is_checked(lint: Lint, project: Path):
    code, text = lint("pipeline.yaml")
    assert code == 0
    assert text.startswith("pipeline.yaml (step tune, rendered):")
    assert "KT302 advice" in text
    assert "add a deadline to the study: budget: {trial_timeout: 30m}" in text
    assert "1 Experiment: 1 ok; 2 findings: 2 advice" in text
    assert "2 findings" in lint("pipeline.yaml", "--select", "KT3")[1]
    found = report(lint("pipeline.yaml", "--format", "json"))
    assert [each["file"] for each in found["documents"]] == ["pipeline.yaml (step tune, rendered)"]
    assert found["pipelines"] == [
        {
            "file": "pipeline.yaml",
            "name": "toy",
            "note": "",
            "outcome": "ok",
            "findings": [],
            "imported": [{"name": "toy_hparams", "file": str(project / "toy_hparams.py")}],
            "read": [],
            "not_imported": [],
        },
    ]


def test_a_pipeline_on_standard_input_is_checked_from_the_current_folder(
    lint: Lint, project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PIPELINE.encode())))
    assert "1 Experiment: 1 ok; 2 findings: 2 advice" in lint("-")[1]


def test_mistakes_of_a_pipeline_are_findings_with_their_places(lint: Lint, project: Path):
    text = PIPELINE.replace("steps.tune.outputs", "steps.tunes.outputs").replace("study.yaml", "gone.yaml")
    (project / "pipeline.yaml").write_text(text)
    code, told = lint("pipeline.yaml")
    assert code == 1
    assert "pipeline.yaml:7:12: KT410 refused: " in told
    assert "gone.yaml" in told
    assert told.endswith("1 finding: 1 refused\n")
    (project / "pipeline.yaml").write_text(PIPELINE.replace("steps.tune.outputs", "steps.tunes.outputs"))
    assert "pipeline.yaml:12:18: KT410 refused: " in lint("pipeline.yaml")[1]
    assert lint("pipeline.yaml", "--ignore", "KT410")[0] == 0


def test_a_pipeline_that_is_not_yaml_is_reported(lint: Lint, project: Path):
    (project / "pipeline.yaml").write_text("steps: [\n")
    assert "KT100 refused" in lint("pipeline.yaml")[1]


def test_what_a_target_cannot_run_is_a_finding_once(lint: Lint, project: Path):
    text = PIPELINE.replace("defaults: {image: registry.example/toy:1}\n", "")
    (project / "pipeline.yaml").write_text(text)
    found = report(lint("pipeline.yaml", "--format", "json"))
    codes = [each["code"] for each in found["pipelines"][0]["findings"]]
    assert codes
    assert set(codes) == {"KT411"}
    messages = [each["message"].partition(": ")[2] for each in found["pipelines"][0]["findings"]]
    assert len(messages) == len(set(messages))
    assert found["pipelines"][0]["outcome"] == "refused"
    assert lint("pipeline.yaml")[0] == 1


def test_only_the_targets_that_the_file_names_are_tried(lint: Lint, project: Path):
    text = PIPELINE.replace("defaults: {image: registry.example/toy:1}\n", "targets:\n  argo: {namespace: team-a}\n")
    (project / "pipeline.yaml").write_text(text)
    (finding,) = report(lint("pipeline.yaml", "--format", "json"))["pipelines"][0]["findings"]
    assert (finding["code"], finding["path"], finding["line"]) == ("KT411", "targets.argo", 3)
    assert finding["message"].startswith("argo: ")


def test_a_study_that_katib_cannot_run_is_a_finding_at_its_tune_step(lint: Lint, project: Path):
    (project / "local.yaml").write_text(f"{EXAMPLE_STUDY}constraints: [learning_rate < 0.01]\n")
    (project / "pipeline.yaml").write_text(PIPELINE.replace("study.yaml", "local.yaml") + "targets: {argo: {}}\n")
    (finding,) = report(lint("pipeline.yaml", "--format", "json"))["pipelines"][0]["findings"]
    assert (finding["code"], finding["path"], finding["line"]) == ("KT411", "steps.tune.study.constraints", 7)


def test_two_volumes_that_are_one_for_kfp_are_a_finding_at_the_second(lint: Lint, project: Path):
    (project / "p.yaml").write_text(
        "name: p\nsteps:\n  work:\n    kind: container\n    module: toy\n    image: registry.example/toy:1\n"
        "    volumes:\n      - {name: a, mount: /a, secret: both}\n      - {name: b, mount: /b, config_map: both}\n"
        "targets:\n  kfp: {}\n"
    )
    (finding,) = report(lint("p.yaml", "--format", "json"))["pipelines"][0]["findings"]
    assert (finding["code"], finding["path"], finding["line"]) == ("KT411", "steps.work.volumes[1].config_map", 9)


def test_a_parameter_that_nothing_takes_is_reported(lint: Lint, project: Path):
    parameters = (
        "parameters: {most: 1.0, names: {type: list, default: [a]}, unused: 1, alike: 2, told: end}\n"
        "loops: {each: {items: '${parameters.names}'}}\n"
        "exit: {module: toy, inputs: {word: '${parameters.told}', text: 'parameters.alike'}}\n"
    )
    steps = "  last: {kind: container, module: toy, for_each: each, when: '${parameters.most} > 0'}\n"
    (project / "pipeline.yaml").write_text(PIPELINE.replace("steps:\n", f"{parameters}steps:\n{steps}"))
    code, text = lint("pipeline.yaml", "--select", "KT4")
    told = [line for line in text.splitlines() if "KT412 advice" in line]
    assert [line.partition("asks for ")[2].partition(",")[0] for line in told] == ["unused", "alike"]
    assert code == 0


def test_a_comment_switches_a_finding_of_a_pipeline_off(lint: Lint, project: Path):
    text = PIPELINE.replace(
        "defaults: {image: registry.example/toy:1}\n",
        "targets:\n  argo: {namespace: team-a} # kftune: ignore[KT411]\n",
    )
    (project / "pipeline.yaml").write_text(text)
    ran = f"imported: toy_hparams ({project / 'toy_hparams.py'})\n"
    assert lint("pipeline.yaml", "--select", "KT4") == (0, f"{ran}1 pipeline; 1 Experiment: 1 ok\n")


def test_in_a_folder_pipelines_are_checked_and_the_files_of_others_passed_over(lint: Lint, project: Path):
    (project / "project.yaml").write_text("name: toy\ndescription: A project.\n")
    (project / "cloudbuild.yaml").write_text("steps:\n- {name: builder, args: [make]}\n")
    (project / "values.yaml").write_text("PLANT001: {CIRCUIT01: {epochs: 3}}\n")
    (project / "task.yaml").write_text("apiVersion: tekton.dev/v1\nkind: Task\nsteps: {}\n")
    found = report(lint(".", "--select", "KT1,KT2,KT41", "--format", "json"))
    assert [each["file"] for each in found["pipelines"]] == ["pipeline.yaml"]
    assert [each["file"] for each in found["documents"]] == [
        "pipeline.yaml (step tune, rendered)",
        "study.yaml (rendered)",
    ]
    assert [each["findings"] for each in found["documents"]] == [[], []]


def test_without_kfp_the_other_targets_are_tried_and_that_is_said(project: Path):
    program = "import sys; sys.modules['kfp'] = None; from kftune.cli import main; sys.exit(main())"
    argv = [sys.executable, "-c", program, "lint", "pipeline.yaml", "--select", "KT4"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pipeline.yaml: not rendered for every target: ")
    assert "kftune[kfp]" in done.stdout
    assert done.stdout.endswith("1 Experiment: 1 ok\n")


def test_a_step_is_checked_for_its_image_its_secrets_and_a_command_in_one_text(lint: Lint, project: Path):
    text = PIPELINE.replace("toy:1}", "toy}").replace("[python, train.py]", "[python train.py]")
    text += "    env: {DB_PASSWORD: hunter2, MODE: fast}\n"
    text += "exit: {kind: container, command: [python end.py]}\n"
    (project / "pipeline.yaml").write_text(text)
    found = report(lint("pipeline.yaml", "--format", "json"))["pipelines"][0]["findings"]
    assert [(each["code"], each["path"]) for each in found] == [
        ("KT305", "defaults.image"),
        ("KT408", "steps.train.command"),
        ("KT306", "steps.train.env.DB_PASSWORD"),
        ("KT408", "exit.command"),
    ]
    assert found[2]["remedy"].endswith("add secrets: {NAME: {name: SECRET, key: KEY}}")


@pytest.mark.parametrize(
    ("schedule", "codes"),
    [
        ("cron: 30 2 * * *, timezone: Europe/Berlin", ["KT413"]),
        ("cron: 30 2 * * *, timezone: UTC", []),
        ("cron: 30 4 * * *, timezone: Europe/Berlin", []),
        ("cron: 30 4 * * *, timezone: CET", ["KT410"]),
        ("cron: 30 4 * * *, timezone: posix/Europe/Berlin", ["KT410"]),
    ],
)
def test_a_schedule_is_judged_as_at_render(schedule: str, codes: list[str], lint: Lint, project: Path):
    (project / "pipeline.yaml").write_text(PIPELINE + f"targets: {{argo: {{}}}}\nschedule: {{{schedule}}}\n")
    found = report(lint("pipeline.yaml", "--format", "json"))["pipelines"][0]["findings"]
    assert [each["code"] for each in found] == codes


def test_the_clocks_do_not_matter_to_a_target_without_schedules(lint: Lint, project: Path):
    text = "targets: {kfp: {}}\nschedule: {cron: 30 2 * * *, timezone: Europe/Berlin}\n"
    (project / "pipeline.yaml").write_text(PIPELINE + text)
    assert report(lint("pipeline.yaml", "--format", "json"))["pipelines"][0]["findings"] == []
