"""Findings about trials that are stopped early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_experiment import collected, experiment, sh

from kftune import yaml_text
from kftune.lint.checker import check
from kftune.lint.options import LintOptions

CODES = {"KT111", "KT245", "KT269", "KT259", "KT260", "KT268", "KT311"}
MEDIAN = {"algorithmName": "medianstop"}
NOT_ROOT = {"securityContext": {"runAsNonRoot": True}}
USER = {"securityContext": {"runAsUser": 1000}}
RETAIN = {"retain": True}
TRAIN = sh("python train.py")
MARKS = sh("{ echo running > /var/log/katib/$$$$.pid; python train.py; }")


def codes(given: dict[str, Any], folder: Path, config: str | None = None) -> set[str]:
    """The codes of the findings that are about early stopping."""
    file = folder / "experiment.yaml"
    file.write_text(yaml_text.dump(given))
    options = LintOptions()
    if config is not None:
        (folder / "config.yaml").write_text(config)
        options = LintOptions(katib_config=folder / "config.yaml")
    (report,) = check(file, options).documents
    return {finding.code for finding in report.findings} & CODES


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"template": RETAIN}, set()),
        ({"template": RETAIN, "earlyStopping": MEDIAN}, set()),
        ({"earlyStopping": MEDIAN}, {"KT260"}),
        ({"container": NOT_ROOT, "template": RETAIN, "earlyStopping": MEDIAN}, {"KT259"}),
        ({"container": USER, "template": RETAIN, "earlyStopping": MEDIAN}, {"KT259"}),
        ({"container": MARKS | NOT_ROOT, "template": RETAIN, "earlyStopping": MEDIAN}, set()),
        ({"container": USER, "pod": USER, "template": RETAIN, "earlyStopping": MEDIAN}, set()),
        ({"container": NOT_ROOT, "template": RETAIN}, set()),
        ({"container": NOT_ROOT, "earlyStopping": MEDIAN, "metricsCollectorSpec": collected("Push")}, {"KT245"}),
        ({"template": RETAIN, "earlyStopping": {"algorithmName": "kftune-asha"}}, {"KT311"}),
        ({"template": RETAIN, "earlyStopping": {"algorithmName": "kftune-bandit"}}, {"KT268", "KT311"}),
        ({"template": RETAIN, "earlyStopping": {"algorithmName": "kftune-plateau"}}, {"KT111"}),
        ({"template": RETAIN, "earlyStopping": {"algorithmName": "kftune-"}}, {"KT111"}),
        ({"template": RETAIN, "earlyStopping": {}}, {"KT111"}),
        ({"template": RETAIN, "earlyStopping": MEDIAN, "algorithm": {"algorithmName": "hyperband"}}, {"KT269"}),
    ],
)
def test_what_keeps_a_stopped_trial_from_ending_is_found(tmp_path, parts, expected):
    given = dict(parts)
    container = TRAIN | given.pop("container", {})
    assert codes(experiment(container, **given), tmp_path) == expected


@pytest.mark.parametrize(
    ("entries", "expected"), [("[]", {"KT111"}), ("[{algorithmName: kftune-asha}]", set()), ("x", {"KT111"})]
)
def test_with_the_configuration_of_the_cluster_there_is_a_verdict(tmp_path, entries, expected):
    others = "suggestions: [{algorithmName: random}], metricsCollectors: [{kind: StdOut}]"
    config = f"runtime: {{earlyStoppings: {entries}, {others}}}"
    given = experiment(TRAIN, template=RETAIN, earlyStopping={"algorithmName": "kftune-asha"})
    assert codes(given, tmp_path, config) == expected
