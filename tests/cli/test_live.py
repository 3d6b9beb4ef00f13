"""An Experiment on a cluster is read like its saved objects. The cluster is a small API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes_server import Server, serving
from local_experiment import experiment, run, sh

from kftune import yaml_text
from kftune.cli import main
from kftune.results import open_results
from kftune.results.experiment import experiment_with_status, trials_as_katib


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Returns an Experiment and its trials, as a cluster has them."""
    folder = tmp_path_factory.mktemp("experiment")
    run(experiment(sh("echo loss=0.$UNITS"), trials=4), folder)
    with open_results(folder) as results:
        whole = experiment_with_status(results)
        assert whole is not None
        return [whole, *trials_as_katib(results)]


@pytest.fixture
def cluster(objects: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves them in the namespace team-a."""
    with serving(tmp_path) as (server, config):
        monkeypatch.setenv("KUBECONFIG", str(config))
        server.objects = {(f"{each['kind'].lower()}s", each["metadata"]["name"]): each for each in objects}
        yield server


@pytest.mark.parametrize("address", ["katib:team-a/small", "katib:small"])
@pytest.mark.parametrize(
    "command",
    [["results"], ["results", "--format", "json"], ["best"], ["status"], ["status", "-o", "yaml"]],
    ids=" ".join,
)
@pytest.mark.usefixtures("cluster")
def test_a_live_experiment_equals_its_saved_objects(objects, tmp_path, capsys, command, address):
    saved = tmp_path / "saved.yaml"
    saved.write_text(yaml_text.dump({"kind": "List", "items": objects}), encoding="utf-8")
    assert main([command[0], address, *command[1:]]) == 0
    live = capsys.readouterr().out
    assert main([command[0], str(saved), *command[1:]]) == 0
    assert live.replace(address, str(saved)) == capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("katib:team-a/smal", "the namespace team-a has no Experiment 'smal'; did you mean 'small'?"),
        ("katib:", "is katib:NAMESPACE/NAME or katib:NAME, but got 'katib:'"),
        ("katib:/small", "is katib:NAMESPACE/NAME or katib:NAME, but got 'katib:/small'"),
        ("katib:team-a/small/more", "is katib:NAMESPACE/NAME"),
    ],
)
@pytest.mark.usefixtures("cluster")
def test_an_experiment_that_is_not_there_is_named(capsys, address, says):
    assert main(["best", address]) == 2
    assert says in capsys.readouterr().err


def test_a_cluster_that_refuses_says_what_it_refused(cluster, capsys):
    cluster.forbidden = {"trials"}
    assert main(["best", "katib:team-a/small"]) == 2
    assert "cannot list the trials" in capsys.readouterr().err
