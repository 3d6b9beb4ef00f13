"""The launcher of a tune step, as a real process with the real Kubernetes client against a small API server."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from kubernetes_server import Server, serving
from pipeline_examples import pipeline, tune

from kftune.domains import Conditional, IntUniform, LogUniform, encoding
from kftune.errors import ClusterError
from kftune.launcher.best import best_texts
from kftune.launcher.launch import name_in_run
from kftune.launcher.objects import objective_value
from kftune.pipeline import EXECUTOR_OUTPUT, Node
from kftune.render.launching import Launching
from kftune.render.tuning import STUDY_FAILED, tuning_of

RUN = "run-1/tune"
BEST = {"lr": "0.01", "units": "64"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    with serving(tmp_path) as (server, config):
        yield server, config


def tune_node() -> tuple[Node, Launching]:
    made = pipeline({"tune": tune(image="registry.example/launcher:1")})
    node = made.node("tune")
    return node, tuning_of(node)


def command(folder: Path, *more: str) -> tuple[list[str], str, Node]:
    """The launcher's real command line, with outputs below a folder; the Experiment's name; the step."""
    node, tuning = tune_node()
    values = {name: str(folder / "outputs" / name) for name in node.outputs}
    values[EXECUTOR_OUTPUT] = str(folder / "executor.json")
    line = tuning.command(tuning.text, RUN, values)
    name = name_in_run(tuning.object["metadata"]["name"], RUN)
    return [sys.executable, *line[1:], "--poll=0.05", *more], name, node


def launch(config: Path, line: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line,
        env={**os.environ, "KUBECONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def condition(kind: str, message: str = "m", **more: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "reason": f"Because{kind}", "message": message, **more}


def trial(name: str, experiment: str, values: dict[str, str], loss: str | None) -> dict[str, Any]:
    metrics = [] if loss is None else [{"name": "loss", "min": loss, "max": loss, "latest": loss}]
    conditions = [condition("Succeeded" if loss else "MetricsUnavailable")]
    return {
        "metadata": {
            "name": name,
            "labels": {"katib.kubeflow.org/experiment": experiment},
            "creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z",
        },
        "spec": {"parameterAssignments": [{"name": key, "value": value} for key, value in values.items()]},
        "status": {"conditions": conditions, "observation": {"metrics": metrics}},
    }


def once_created(name: str, change: Callable[[Server], None]) -> Callable[[Server], None]:
    """Returns what a server does before each read: nothing until the Experiment exists, then `change`."""
    return lambda server: change(server) if ("experiments", name) in server.objects else None


def succeed_after(reads: int, name: str, best: dict[str, str]) -> Any:
    """Lets the Experiment run for some looks and then succeed with two trials."""
    seen = []

    def move(server: Server) -> None:
        seen.append(1)
        found = server.objects.get(("experiments", name))
        if found is None:
            return
        status = found.setdefault("status", {})
        status["conditions"] = [condition("Created"), condition("Running")]
        status["trialsRunning"] = 2
        if len(seen) < reads:
            return
        loss = found["spec"]["objective"]["objectiveMetricName"]
        other = dict.fromkeys(best, "1")
        for each in (trial("trial-1", name, other, "0.9"), trial("trial-2", name, best, "0.25")):
            each["status"]["observation"]["metrics"][0]["name"] = loss
            server.objects["trials", each["metadata"]["name"]] = each
        status["conditions"] = [condition("Created"), condition("Running", status="False"), condition("Succeeded")]
        status["trialsSucceeded"], status["trialsRunning"] = 2, 0
        status["currentOptimalTrial"] = {
            "bestTrialName": "trial-2",
            "parameterAssignments": server.objects["trials", "trial-2"]["spec"]["parameterAssignments"],
            "observation": server.objects["trials", "trial-2"]["status"]["observation"],
        }

    return move


def given_values(experiment: dict[str, Any]) -> dict[str, str]:
    """One value of each parameter, as Katib would write it."""
    spaces = {parameter["name"]: parameter["feasibleSpace"] for parameter in experiment["spec"]["parameters"]}
    return {name: space.get("min") or space["list"][0] for name, space in spaces.items()}


# -- from start to end -------------------------------------------------------------------------------------------


def test_it_creates_waits_and_writes_every_output(cluster, tmp_path):
    server, config = cluster
    line, name, node = command(tmp_path)
    best = given_values(tune_node()[1].object)
    server.on_read = succeed_after(3, name, best)
    run = launch(config, line)
    assert run.returncode == 0, run.stdout + run.stderr
    outputs = {path.name: path.read_text() for path in (tmp_path / "outputs").iterdir()}
    assert set(outputs) == set(node.outputs)
    assert outputs["best_trial"] == "trial-2"
    assert outputs["objective"] == "0.25"
    for each in best:
        assert outputs[f"best.{each}"]
    assert json.loads(outputs["metrics"]) == {node.step.study.objective.metric: 0.25}  # type: ignore[attr-defined]
    told = json.loads((tmp_path / "executor.json").read_text())["artifacts"]["metrics"]["artifacts"]
    assert told == [{"metadata": json.loads(outputs["metrics"])}]
    assert "<svg" in outputs["report"]
    assert "trial-1" in outputs["report"]
    created = server.objects["experiments", name]
    assert created["metadata"]["namespace"] == "team-a"
    assert created["metadata"]["annotations"]["kftune.io/run-id"] == RUN
    assert "created Experiment" in run.stdout
    assert "trials: 2 running" in run.stdout


def test_a_second_try_attaches_and_creates_nothing(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)
    first = subprocess.Popen(line, env={**os.environ, "KUBECONFIG": str(config)}, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    first.stdout.readline()
    first.kill()
    first.wait()
    first.stdout.close()
    server.on_read = succeed_after(1, name, given_values(tune_node()[1].object))
    run = launch(config, line)
    assert run.returncode == 0, run.stdout
    assert "attached to Experiment" in run.stdout
    assert [key for key in server.objects if key[0] == "experiments"] == [("experiments", name)]


def test_another_experiment_of_that_name_is_left_alone(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)
    server.objects["experiments", name] = {"metadata": {"name": name}, "spec": {}}
    run = launch(config, line)
    assert run.returncode == 1
    assert "delete it, or start a new run" in run.stdout
    assert server.objects["experiments", name]["spec"] == {}


def test_the_error_for_a_failed_experiment_names_reason_and_trials(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)

    def fail(server: Server) -> None:
        server.objects["experiments", name]["status"] = {"conditions": [condition("Failed", "too many failed")]}
        server.objects["trials", "trial-1"] = trial("trial-1", name, BEST, None)

    server.on_read = once_created(name, fail)
    run = launch(config, line)
    assert run.returncode == STUDY_FAILED
    assert "the Experiment has failed: BecauseFailed: too many failed" in run.stdout
    assert "trial trial-1: BecauseMetricsUnavailable" in run.stdout


def ended_pod(experiment: str, number: int, code: int, **status: str) -> dict[str, Any]:
    """A pod of a trial with the container of the training and Katib's collector."""
    ended = {"exitCode": code, "reason": "OOMKilled" if code == 137 else "Error"}
    about = {"image": "x", "imageID": "", "ready": False, "restartCount": 0}
    return {
        "metadata": {
            "name": f"trial-{number}-pod",
            "labels": {"katib.kubeflow.org/experiment": experiment, "katib.kubeflow.org/trial": f"trial-{number}"},
        },
        "spec": {"containers": [{"name": "train"}, {"name": "metrics-logger-and-collector"}]},
        "status": {**status, "containerStatuses": [{"name": "train", **about, "state": {"terminated": ended}}]},
    }


def fail_when(ready: Callable[[Server], bool], name: str, count: int, code: int = 3, **status: str) -> Any:
    """Lets trials run until `ready`, and then lets them and the Experiment fail and takes their pods."""

    def move(server: Server) -> None:
        if ("experiments", name) not in server.objects:
            return
        for number in range(count):
            server.objects["pods", f"trial-{number}-pod"] = ended_pod(name, number, code, **status)
            server.objects["trials", f"trial-{number}"] = trial(f"trial-{number}", name, BEST, None)
        if ready(server):
            failed = {"conditions": [condition("Running", status="False"), condition("Failed", "too many failed")]}
            server.objects["experiments", name]["status"] = failed
            for number in range(count):
                del server.objects["pods", f"trial-{number}-pod"]

    return move


def watched(server: Server, logs: int) -> bool:
    """Whether the launcher has read this many logs."""
    return sum(request.endswith("/log") for request in server.requests) >= logs


def test_the_error_for_a_failed_experiment_has_exit_code_and_last_lines_of_a_trial(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)
    server.logs["trial-0-pod"] = b"".join(
        b"I1129 12:00:00.000000      12 main.go:143] %s\n" % text
        for text in (*(b"epoch %d" % number for number in range(30)), b"\x1b[31mbad\x07 \xff key\x1b[0m", b"y" * 500)
    )
    server.on_read = fail_when(lambda server: watched(server, 1), name, 1)
    run = launch(config, line)
    assert run.returncode == STUDY_FAILED
    told = run.stdout[run.stdout.index("the Experiment has failed") :].splitlines()
    assert told[0] == "the Experiment has failed: BecauseFailed: too many failed"
    assert told[1] == "  trial trial-0: BecauseMetricsUnavailable: m; exit code 3"
    assert told[2:] == [*(f"    epoch {number}" for number in range(24, 30)), "    bad \ufffd key", f"    {'y' * 159}…"]


def test_what_the_cluster_says_about_a_pod_is_part_of_the_error(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)
    server.logs["trial-0-pod"] = b""
    server.on_read = fail_when(
        lambda server: watched(server, 1), name, 1, 137, phase="Failed", reason="DeadlineExceeded", message="too long"
    )
    run = launch(config, line)
    assert (
        "trial trial-0: BecauseMetricsUnavailable: m; exit code 137 (OOMKilled); DeadlineExceeded: too long"
        in run.stdout
    )


def test_many_failed_trials_are_counted_and_their_logs_are_few(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)
    server.logs = {f"trial-{number}-pod": b"no such file\n" for number in range(14)}
    server.on_read = fail_when(lambda server: watched(server, 14), name, 14)
    run = launch(config, line)
    assert run.stdout.count("exit code 3") == 10
    assert run.stdout.count("no such file") == 2
    assert run.stdout.endswith("  and 4 more trials\n")


@pytest.mark.parametrize(
    ("forbidden", "said", "known"),
    [
        ("pods/log", "if a trial fails, its log will not be known: cannot read the logs", "exit code 3"),
        ("watch", "if a trial fails, its exit code and log will not be known: cannot watch the pods", "m"),
    ],
)
def test_without_the_right_to_look_at_pods_the_launcher_says_so_and_goes_on(cluster, tmp_path, forbidden, said, known):
    server, config = cluster
    line, name, _ = command(tmp_path)
    server.forbidden = {forbidden}
    server.on_read = fail_when(lambda server: len(server.requests) > 10, name, 2)
    run = launch(config, line)
    assert run.returncode == STUDY_FAILED
    assert run.stdout.count(said) == 1
    assert "give the service account that right" in run.stdout
    assert f"trial trial-1: BecauseMetricsUnavailable: m{'' if known == 'm' else '; ' + known}\n" in run.stdout


def test_a_retry_fails_at_once_when_the_experiment_has_failed_before(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)

    def fail(server: Server) -> None:
        server.objects["experiments", name]["status"] = {"conditions": [condition("Failed", "too many failed")]}

    server.on_read = once_created(name, fail)
    launch(config, line)
    server.requests.clear()
    run = launch(config, line)
    assert run.returncode == STUDY_FAILED
    assert f"the Experiment {name} of an earlier try has failed: BecauseFailed: too many failed" in run.stdout
    assert "start a new run, or set delete: always" in run.stdout
    assert [request for request in server.requests if "pods" in request] == []


def test_why_it_failed_is_the_steps_message_where_the_cluster_has_a_file_for_it(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)

    def fail(server: Server) -> None:
        failed = {"conditions": [condition("Failed", "\u00e9" * 3000)]}
        server.objects["experiments", name]["status"] = failed

    server.on_read = once_created(name, fail)
    message = tmp_path / "message"
    script = (
        "import pathlib, sys; from kftune.launcher import __main__ as program; "
        "program._MESSAGE = pathlib.Path(sys.argv[1]); sys.exit(program.main(sys.argv[2:]))"
    )
    start = [line[0], "-c", script, str(message)]
    assert launch(config, [*start, *line[3:]]).returncode == STUDY_FAILED
    assert not message.exists()
    message.touch()
    assert launch(config, [*start, *line[3:]]).returncode == STUDY_FAILED
    assert message.read_text().startswith(f"the Experiment {name} of an earlier try has failed: BecauseFailed: \u00e9")
    assert 4000 < message.stat().st_size <= 4096


def test_success_without_a_best_trial_is_an_error(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)

    def succeed(server: Server) -> None:
        server.objects["experiments", name]["status"] = {"conditions": [condition("Succeeded")]}

    server.on_read = once_created(name, succeed)
    run = launch(config, line)
    assert run.returncode == STUDY_FAILED
    assert "without a best trial" in run.stdout


def test_asked_to_stop_it_leaves_the_experiment_for_the_next_try(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)
    process = subprocess.Popen(line, env={**os.environ, "KUBECONFIG": str(config)}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=20)[0]
    assert process.returncode == 143
    assert "continues" in told
    assert ("experiments", name) in server.objects


@pytest.mark.parametrize(("delete", "stays"), [("never", True), ("succeeded", False), ("always", False)])
def test_it_deletes_the_experiment_when_asked(cluster, tmp_path, delete, stays):
    server, config = cluster
    line, name, _ = command(tmp_path, f"--delete={delete}")
    server.on_read = succeed_after(2, name, given_values(tune_node()[1].object))
    assert launch(config, line).returncode == 0
    assert (("experiments", name) in server.objects) is stays


def in_a_pod_of(server: Server, config: Path, owner: dict[str, Any] | None, namespace: str = "team-a") -> None:
    """Gives the process the token of a pod, which a Workflow may own."""
    claims = {"kubernetes.io": {"namespace": namespace, "pod": {"name": "run-1-tune-7"}}}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    content = json.loads(config.read_text())
    content["users"][0]["user"] = {"token": f"e30.{payload}.c2ln"}
    config.write_text(json.dumps(content))
    others = [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "0"}]
    metadata = {"name": "run-1-tune-7", "ownerReferences": [*others, *([owner] if owner else [])]}
    server.objects["pods", "run-1-tune-7"] = {"metadata": metadata, "spec": {"containers": []}}
    server.objects["pods", "other"] = {"metadata": {"name": "other"}, "spec": {"containers": []}}


WORKFLOW = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "run-1", "uid": "u-1"}


@pytest.mark.parametrize("delete", ["succeeded", "always"])
def test_in_a_run_the_experiment_stays_for_a_retry_until_the_run_is_deleted(cluster, tmp_path, delete):
    server, config = cluster
    line, name, node = command(tmp_path, f"--delete={delete}")
    in_a_pod_of(server, config, {**WORKFLOW, "controller": True})
    server.on_read = succeed_after(2, name, given_values(tune_node()[1].object))
    first = launch(config, line)
    assert first.returncode == 0, first.stdout
    assert server.objects["experiments", name]["metadata"]["ownerReferences"] == [WORKFLOW]
    assert f"the Experiment {name} stays until the Workflow run-1 is deleted" in first.stdout
    shutil.rmtree(tmp_path / "outputs")
    retried = launch(config, line)
    assert retried.returncode == 0, retried.stdout
    assert "attached to Experiment" in retried.stdout
    assert {path.name for path in (tmp_path / "outputs").iterdir()} == set(node.outputs)


@pytest.mark.parametrize(
    ("owner", "namespace"), [(None, "team-a"), (WORKFLOW, "team-a"), ({**WORKFLOW, "controller": True}, "team-b")]
)
def test_an_experiment_that_no_run_can_own_is_deleted_at_once(cluster, tmp_path, owner, namespace):
    server, config = cluster
    line, name, _ = command(tmp_path, "--delete=succeeded")
    in_a_pod_of(server, config, owner, namespace)
    server.on_read = succeed_after(2, name, given_values(tune_node()[1].object))
    assert launch(config, line).returncode == 0
    assert ("experiments", name) not in server.objects


def test_what_the_launcher_may_not_change_stays_and_the_result_counts(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path, "--delete=succeeded")
    in_a_pod_of(server, config, {**WORKFLOW, "controller": True})
    server.on_read = succeed_after(2, name, given_values(tune_node()[1].object))
    server.forbidden = {"PATCH"}
    run = launch(config, line)
    assert run.returncode == 0
    assert f"the Experiment {name} stays: cannot set the owner of the Experiment" in run.stdout
    assert ("experiments", name) in server.objects


def test_what_cannot_be_deleted_stays_and_the_result_counts(cluster, tmp_path):
    server, config = cluster
    line, name, node = command(tmp_path, "--delete=succeeded")
    server.on_read = succeed_after(2, name, given_values(tune_node()[1].object))
    server.forbidden = {"DELETE"}
    run = launch(config, line)
    assert run.returncode == 0
    assert f"the Experiment {name} stays: cannot delete the Experiment" in run.stdout
    assert {path.name for path in (tmp_path / "outputs").iterdir()} == set(node.outputs)


def test_a_try_after_a_deletion_waits_until_the_experiment_is_gone(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path, "--delete=always")
    dying = {"metadata": {"name": name, "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}}
    server.objects["experiments", name] = dying
    succeed = succeed_after(2, name, given_values(tune_node()[1].object))

    moves = chain([lambda _: None, lambda server: server.objects.pop(("experiments", name))], repeat(succeed))
    server.on_read = lambda server: next(moves)(server)
    run = launch(config, line)
    assert run.returncode == 0, run.stdout
    assert run.stdout.splitlines()[:2] == [
        f"waiting until the Experiment {name} of an earlier try is gone",
        f"created Experiment team-a/{name}",
    ]


def test_a_busy_server_is_asked_again(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path)
    server.failures = [503, 500]
    server.on_read = succeed_after(1, name, given_values(tune_node()[1].object))
    run = launch(config, line)
    assert run.returncode == 0, run.stdout
    assert server.requests[:3] == [f"GET /apis/kubeflow.org/v1beta1/namespaces/team-a/experiments/{name}"] * 3


def test_a_missing_right_is_an_error_with_a_remedy(cluster, tmp_path):
    server, config = cluster
    server.failures = [403]
    run = launch(config, command(tmp_path)[0])
    assert run.returncode == 1
    assert "give the service account that right" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_without_a_cluster_it_says_so(tmp_path):
    run = launch(tmp_path / "none", command(tmp_path)[0])
    assert run.returncode == 1
    assert "no cluster is configured" in run.stdout


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--best={"], "--best must be a JSON object"),
        (["--artifact-data=/x"], "--share"),
        (["--nonsense"], "nonsense"),
        (["--delete=perhaps"], "perhaps"),
    ],
)
def test_a_wrong_command_line_is_one_line_of_text(tmp_path, cluster, more, told):
    run = launch(cluster[1], [*command(tmp_path)[0], *more])
    assert run.returncode == 2
    assert told in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_obstacles_are_named_when_nothing_changes(cluster, tmp_path, monkeypatch):
    from kftune.cluster import Namespace
    from kftune.launcher.experiment import ExperimentLaunch

    server, config = cluster
    monkeypatch.setenv("KUBECONFIG", str(config))
    _, tuning = tune_node()
    said: list[str] = []
    made = ExperimentLaunch(Namespace(), tuning.object, RUN, said.append)
    made.start(threading.Event())
    assert made.obstacles() == [
        "there is no Suggestion: Katib has not processed the Experiment, or does not know its algorithm"
    ]
    server.objects["suggestions", made.name] = {
        "metadata": {"name": made.name},
        "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "Bad", "message": "no such setting"}]},
    }
    server.objects["pods", "pod-1"] = {
        "metadata": {"name": "pod-1", "labels": {"katib.kubeflow.org/experiment": made.name}},
        "spec": {"containers": []},
        "status": {
            "containerStatuses": [
                {
                    "name": "train",
                    "image": "x",
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
                }
            ]
        },
    }
    assert made.obstacles() == [
        "the algorithm has failed: Bad: no such setting",
        "pod pod-1: container train: ImagePullBackOff: not found",
    ]


def test_artifacts_are_copied_to_the_share_and_their_paths_reach_the_trials(cluster, tmp_path):
    server, config = cluster
    data = tmp_path / "readings.csv"
    data.write_text("1,2\n")
    line, name, _ = command(tmp_path)
    place = next(index for index, token in enumerate(line) if token.startswith("--experiment="))
    experiment = json.loads(line[place].partition("=")[2])
    container = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    container["args"] = [f"{container['args'][0]} --data=@kftune:data@ --text=@kftune:text@"]
    line[place] = f"--experiment={json.dumps(experiment)}"
    share = tmp_path / "share"
    line += [f"--artifact-data={data}", f"--share={share}", "--value-text=a '@kftune:data@' $b"]
    there: list[str] = []
    succeed = succeed_after(1, name, given_values(experiment))

    def look(server: Server) -> None:
        there[:] = [path.read_text() for path in share.rglob("content")]
        succeed(server)

    server.on_read = look
    run = launch(config, line)
    assert run.returncode == 0, run.stdout
    assert there == ["1,2\n"]
    assert list(share.rglob("content")) == []
    digest = hashlib.sha256(b"1,2\n").hexdigest()
    copy = share / "kftune" / "data" / digest / "content"
    created = server.objects["experiments", name]["spec"]["trialTemplate"]["trialSpec"]
    script = created["spec"]["template"]["spec"]["containers"][0]["args"][0].replace("$$", "$")
    shown = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {script.partition(' --data=')[2]}"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines() == [str(copy), "--text=a '@kftune:data@' $b"]


def test_an_optional_artifact_that_nobody_wrote_is_not_copied(cluster, tmp_path):
    server, config = cluster
    line, name, _ = command(tmp_path, "--artifact-data=", f"--share={tmp_path / 'share'}")
    server.on_read = succeed_after(1, name, given_values(tune_node()[1].object))
    run = launch(config, line, cwd=tmp_path)
    assert run.returncode == 0, run.stdout
    assert not (tmp_path / "share").exists()


def with_data(tmp_path: Path, *more: str) -> tuple[list[str], str, Path]:
    """A launcher's command line with an artifact on a share; the Experiment's name; the share."""
    data, share = tmp_path / "readings.csv", tmp_path / "share"
    data.write_text("1,2\n")
    line, name, _ = command(tmp_path, f"--artifact-data={data}", f"--share={share}", *more)
    return line, name, share


@pytest.mark.parametrize(
    ("delete", "copies", "code"), [("never", 1, STUDY_FAILED), ("succeeded", 1, STUDY_FAILED), ("always", 0, 1)]
)
def test_data_stays_after_a_failure_and_no_retry_is_wanted_unless_everything_is_to_be_deleted(
    cluster, tmp_path, delete, copies, code
):
    server, config = cluster
    line, name, share = with_data(tmp_path, f"--delete={delete}")

    def fail(server: Server) -> None:
        server.objects["experiments", name]["status"] = {"conditions": [condition("Failed", "too many failed")]}

    server.on_read = once_created(name, fail)
    assert launch(config, line).returncode == code
    assert len(list(share.rglob("content"))) == copies


def test_data_stays_when_the_experiment_cannot_be_deleted(cluster, tmp_path):
    server, config = cluster
    line, name, share = with_data(tmp_path, "--delete=always")
    server.forbidden = {"DELETE"}

    def fail(server: Server) -> None:
        server.objects["experiments", name]["status"] = {"conditions": [condition("Failed", "too many failed")]}

    server.on_read = once_created(name, fail)
    assert launch(config, line).returncode == 1
    assert len(list(share.rglob("content"))) == 1


def test_a_retry_after_a_success_copies_nothing(cluster, tmp_path):
    server, config = cluster
    line, name, share = with_data(tmp_path)
    server.on_read = succeed_after(1, name, given_values(tune_node()[1].object))
    assert launch(config, line).returncode == 0
    seen: list[Path] = []
    server.on_read = lambda server: seen.extend(share.rglob("content"))
    assert launch(config, line).returncode == 0
    assert seen == []


# -- names and values --------------------------------------------------------------------------------------------


def test_the_name_is_the_same_for_each_try_and_another_for_each_run():
    long = "a-study-with-a-name-that-fills-the-whole"
    names = {name_in_run(long, run) for run in ("1", "1", "2")}
    assert len(names) == 2
    assert all(len(name) <= 40 for name in names)


def test_best_values_are_what_the_trial_made_of_katibs_texts():
    rate = LogUniform(1e-4, 1e-2)
    wanted = {
        "lr": {"text": encoding.encode_value("quantile", rate, "${trialParameters.lr}"), "type": "float"},
        "units": {"text": "${trialParameters.units}", "type": "int"},
        "words": {"text": "${trialParameters.words}", "type": "str"},
        "fixed": {"text": "9007199254740993", "type": "int"},
    }
    given = {"lr": "0.25", "units": "64.0", "words": encoding.encode_text('say "hi"')}
    assert best_texts(wanted, given, {}) == {
        "lr": repr(rate.quantile(0.25)),
        "units": "64",
        "words": 'say "hi"',
        "fixed": "9007199254740993",
    }


@pytest.mark.parametrize(("kind", "expected"), [("deep", str(IntUniform(2, 9).quantile(0.5))), ("flat", "1")])
def test_a_value_whose_condition_does_not_hold_is_its_default(kind, expected):
    domain = Conditional(IntUniform(2, 9), when={"kind": "deep"})
    text = encoding.encode_value("quantile", domain, "${trialParameters.layers}")
    wanted = {
        "layers": {"text": text, "type": "int", "default": "1"},
        "kind": {"text": "${trialParameters.kind}", "type": "str"},
    }
    assert best_texts(wanted, {"layers": "0.5", "kind": kind}, {})["layers"] == expected
    assert best_texts({"layers": wanted["layers"]}, {"layers": "0.5"}, {"kind": kind})["layers"] == expected


def test_a_parameter_that_katib_does_not_give_is_an_error():
    with pytest.raises(ClusterError, match="no value for lr"):
        best_texts({"lr": {"text": "${trialParameters.lr}", "type": "float"}}, {}, {})


@pytest.mark.parametrize(("strategy", "expected"), [("min", "0.1"), ("max", "0.9"), ("latest", "0.5"), (None, "0.1")])
def test_the_objective_is_the_value_of_its_strategy(strategy, expected):
    strategies = [{"name": "loss", "value": strategy}] if strategy else []
    objective = {"objectiveMetricName": "loss", "type": "minimize", "metricStrategies": strategies}
    metrics = [{"name": "loss", "min": "0.1", "max": "0.9", "latest": "0.5"}]
    assert objective_value({"metrics": metrics}, objective) == expected
    unavailable = [{"name": "loss", "min": "unavailable", "max": "unavailable", "latest": "x"}]
    assert objective_value({"metrics": unavailable}, objective) == "x"
    assert objective_value(None, objective) is None
