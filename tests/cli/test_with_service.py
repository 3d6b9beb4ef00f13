"""`kftune render --with-service`: what an administrator applies, and the mistakes with it.

mistake_texts.py says how the texts are written anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from mistake_texts import REMEDY, printed, record, recorded

from kftune import yaml_text
from kftune.cli import main
from kftune.earlystopping.names import ALGORITHMS
from kftune.katib.admission.cluster import config_of

SNAPSHOTS = "mistakes_with_service.txt"

HPARAMS = """
from kftune import Hparam, Hparams, Uniform

class Toy(Hparams):
    lr: float = Hparam(0.1, search=Uniform(0.01, 0.2))
"""
STUDY = """
name: toy
hparams: toy:Toy
objective: {metric: loss, direction: minimize}
stopping: {bandit: {slack_factor: 0.1}}
step: {image: "registry.example/toy:1", command: [python, train.py]}
"""
INNER = """\
# ours
apiVersion: config.kubeflow.org/v1beta1
kind: KatibConfig
init: {controller: {webhookPort: 8443}}
runtime:
  suggestions:
    - &goptuna {algorithmName: random, image: "registry.example/goptuna:1"}
    - {<<: *goptuna, algorithmName: tpe}
  earlyStoppings:
    - {algorithmName: medianstop, image: "registry.example/medianstop:1"}
    - {algorithmName: kftune-bandit, image: "registry.example/old:1"}
"""
IMAGE = "registry.example/earlystopping:1"
OUT = ["render", "study.yaml", "--out", "out", "--with-service"]
WITH_IMAGE = [*OUT, "--service-image", IMAGE]


def config_map(inner: str = INNER) -> str:
    metadata = {"name": "katib-config", "namespace": "kubeflow", "labels": {"a": "b"}, "resourceVersion": "518"}
    dropped = {"uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "x"}]}
    data = {"katib-config.yaml": inner, "other": "kept"}
    return yaml_text.dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | dropped, "data": data})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy.py").write_text(HPARAMS)
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "config.yaml").write_text(config_map())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "toy", raising=False)
    return tmp_path


def test_the_entries_are_written_where_the_configuration_is_not_known(project, capsys):
    assert main(WITH_IMAGE) == 0
    found: Any = yaml_text.load_file(project / "out" / "katib-early-stopping.yaml")
    listed = found["runtime"]["earlyStoppings"]
    assert [each["algorithmName"] for each in listed] == [*ALGORITHMS]
    assert {each["image"] for each in listed} == {IMAGE}
    assert all({"imagePullPolicy", "resources"} <= each.keys() for each in listed)
    assert "adds the entries in out/katib-early-stopping.yaml to runtime.earlyStoppings" in capsys.readouterr().err


def test_the_config_map_of_a_cluster_gets_the_service_and_keeps_the_rest(project, capsys):
    assert main([*WITH_IMAGE, "--katib-config", "config.yaml"]) == 0
    written = project / "out" / "katib-config.yaml"
    found: Any = yaml_text.load_file(written)
    # With the version, kubectl replace refuses it after a change by others.
    assert found["metadata"] == {
        "name": "katib-config",
        "namespace": "kubeflow",
        "labels": {"a": "b"},
        "resourceVersion": "518",
    }
    assert found["data"]["other"] == "kept"
    before: Any = yaml_text.load(INNER)
    after: Any = yaml_text.load(found["data"]["katib-config.yaml"])
    kept, *ours = after["runtime"].pop("earlyStoppings")
    assert kept == before["runtime"].pop("earlyStoppings")[0]
    assert [each["algorithmName"] for each in ours] == [*ALGORITHMS]
    assert after == before
    assert config_of(written.read_text(), "x").early_stoppings == {"medianstop", *ALGORITHMS}
    assert "kubectl replace --filename out/katib-config.yaml" in capsys.readouterr().err
    assert main(["lint", "study.yaml", "--katib-config", str(written), "--fail-on=never"]) == 0
    assert "KT311" not in capsys.readouterr().out


def test_a_second_time_nothing_changes(project):
    assert main([*WITH_IMAGE, "--katib-config", "config.yaml"]) == 0
    first = (project / "out" / "katib-config.yaml").read_text()
    (project / "config.yaml").write_text(first)
    assert main([*WITH_IMAGE, "--katib-config", "config.yaml"]) == 0
    assert (project / "out" / "katib-config.yaml").read_text() == first


def test_the_file_in_the_config_map_stays_such_a_file(project):
    (project / "config.yaml").write_text(INNER)
    assert main([*WITH_IMAGE, "--katib-config", "config.yaml"]) == 0
    found: Any = yaml_text.load_file(project / "out" / "katib-config.yaml")
    assert (found["kind"], len(found["runtime"]["earlyStoppings"])) == ("KatibConfig", 1 + len(ALGORITHMS))


MISTAKES: dict[str, tuple[list[str], str]] = {
    "no folder": (["render", "study.yaml", "--with-service"], ""),
    "one file": (["render", "study.yaml", "--with-service", "--out", "all.yaml"], ""),
    "no image": (OUT, ""),
    "an option that belongs to it": (["render", "study.yaml", "--katib-config", "config.yaml"], ""),
    "no such file": ([*WITH_IMAGE, "--katib-config", "confg.yaml"], ""),
    "a folder": ([*WITH_IMAGE, "--katib-config", "."], ""),
    "another object": ([*WITH_IMAGE, "--katib-config", "config.yaml"], "kind: ConfigMap\ndata: {a: b}\n"),
    "no object": ([*WITH_IMAGE, "--katib-config", "config.yaml"], "some text\n"),
    "an empty file": ([*WITH_IMAGE, "--katib-config", "config.yaml"], ""),
    "two objects": ([*WITH_IMAGE, "--katib-config", "config.yaml"], f"{config_map()}---\n{config_map()}"),
    "no YAML": ([*WITH_IMAGE, "--katib-config", "config.yaml"], "a: [\n"),
    "no YAML inside": ([*WITH_IMAGE, "--katib-config", "config.yaml"], config_map("a: [\n")),
    "no list": ([*WITH_IMAGE, "--katib-config", "config.yaml"], config_map("runtime: {earlyStoppings: medianstop}\n")),
    "no runtime": ([*WITH_IMAGE, "--katib-config", "config.yaml"], config_map("runtime: [a]\n")),
}


def texts(project: Path) -> dict[str, str]:
    found = {}
    for name, (arguments, content) in MISTAKES.items():
        (project / "config.yaml").write_text(content or config_map() if name != "an empty file" else "")
        found[name] = printed(arguments, project)
    return found


def test_each_mistake_is_told_in_the_recorded_words(project):
    found = texts(project)
    record(SNAPSHOTS, found)
    assert found == recorded(SNAPSHOTS), REMEDY
    assert all(text.startswith("exit 2\n") and "Traceback" not in text for text in found.values())
    assert not (project / "out").exists()


RUN_MISTAKES = {
    "an unknown rule": ("kftune-bandit", "kftune-bandid"),
    "a rule of local runs": ("kftune-bandit", "kftune-plateau"),
    "a service of others": ("kftune-bandit", "median"),
    "an unknown setting": ("name: slack_factor", "name: slack"),
    "no number": ('value: "0.1"', "value: low"),
    "no finite number": ('value: "0.1"', 'value: "inf"'),
    "a negative number": ('value: "0.1"', 'value: "-1"'),
    "no text": ('value: "0.1"', "value: 0.1"),
    "no setting": ('    algorithmSettings:\n    - name: slack_factor\n      value: "0.1"\n', ""),
    "a setting twice": ('      value: "0.1"\n', '      value: "0.1"\n    - name: slack_factor\n      value: "0.2"\n'),
}


def test_each_mistake_in_an_experiment_is_told_in_the_recorded_words(project):
    (project / "train.py").write_text("print('loss=1')\n")
    assert main(["render", "study.yaml", "--out", "experiment.yaml"]) == 0
    text = (project / "experiment.yaml").read_text()
    found = {}
    for name, (old, new) in RUN_MISTAKES.items():
        assert old in text
        (project / "experiment.yaml").write_text(text.replace(old, new))
        found[name] = printed(["run", "experiment.yaml", "--plain"], project)
        found[f"{name}, lint"] = printed(["lint", "experiment.yaml", "--ignore=KT302,KT303,KT311"], project)
    record("mistakes_early_stopping.txt", found)
    assert found == recorded("mistakes_early_stopping.txt"), REMEDY
    assert all("Traceback" not in text for text in found.values())
