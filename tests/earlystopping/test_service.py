"""The service as Katib uses it: a process, a gRPC client, a database manager and an API server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from early_stopping import api_server, call, database, rules, rules_request, service, stopping, validated

from kftune.earlystopping import api_pb2
from kftune.earlystopping.trial_status import Api, InvalidTrialError, TrialStatusError, stop_early

STATUS = api_pb2.TrialStatus
BANDIT = stopping("kftune-bandit", [("slack_amount", "0.25"), ("delay", "2")])
LOGS = {"a": [1.0, 0.5, 0.25], "b": [2.0, 1.5, 1.25]}
ENDED = {"a": STATUS.SUCCEEDED, "b": STATUS.SUCCEEDED}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as (place, process):
        yield place
        assert process.poll() is None


@pytest.mark.parametrize(
    ("algorithm", "settings", "code", "text"),
    [
        ("kftune-bandit", [("slack_factor", "0.1"), ("interval", "5"), ("delay", "10")], "OK", ""),
        ("kftune-asha", [], "OK", ""),
        ("kftune-asha", [("type", "promotion")], "INVALID_ARGUMENT", "must have the type stopping: Katib cannot let"),
        ("kftune-asha", [("type", "promote")], "INVALID_ARGUMENT", "stopping"),
        ("kftune-bandit", [], "INVALID_ARGUMENT", "needs slack_factor or slack_amount, but got neither"),
        ("kftune-bandit", [("slak", "1")], "INVALID_ARGUMENT", "no key 'slak'"),
        ("kftune-bandit", [("slack_factor", "low")], "INVALID_ARGUMENT", "must be a valid number"),
        ("kftune-bandit", [("slack_factor", "1")] * 2, "INVALID_ARGUMENT", "got 'slack_factor' twice"),
        ("kftune-bandit", [("slack_factor", "9" * 5000)], "INVALID_ARGUMENT", "at most 1000 characters"),
        ("kftune-bandit", [("slack_factor", "[" * 999)], "INVALID_ARGUMENT", "must be a valid number"),
        ("kftune-bandit", [("slack_factor", "NaN")], "INVALID_ARGUMENT", "must be a finite number"),
        ("kftune-bandit", [("slack_factor", "true")], "INVALID_ARGUMENT", "must be"),
        ("kftune-bandid", [], "INVALID_ARGUMENT", "did you mean 'kftune-bandit'?"),
        ("kftune-plateau", [], "INVALID_ARGUMENT", "judges each report of a trial"),
        ("medianstop", [], "INVALID_ARGUMENT", "unknown early stopping algorithm 'medianstop'"),
        ("", [("\x00", "\u2028")], "INVALID_ARGUMENT", "unknown early stopping algorithm ''"),
    ],
)
def test_settings_are_accepted_or_refused_with_a_reason(address, algorithm, settings, code, text):
    got, details = validated(address, algorithm, settings)
    assert got == code
    assert text in details


def test_new_trials_get_the_rule_that_follows_from_the_logs_in_the_database(address):
    with database(LOGS) as manager:
        request = rules_request(BANDIT, ENDED, manager)
        assert rules(address, request) == [("loss", "0.75", "GREATER", 2)]


def test_trials_without_a_result_do_not_count(address):
    ended = {"a": STATUS.FAILED, "b": STATUS.SUCCEEDED, "c": STATUS.RUNNING, "d": STATUS.KILLED, "e": STATUS.UNKNOWN}
    with database(LOGS) as manager:
        spec = stopping("kftune-bandit", [("slack_amount", "0.125"), ("delay", "2")])
        assert rules(address, rules_request(spec, ended, manager)) == [("loss", "1.625", "GREATER", 2)]


def test_trials_that_were_stopped_early_count(address):
    spec = stopping("kftune-bandit", [("slack_amount", "0.5"), ("delay", "2")])
    ended = {"a": STATUS.EARLYSTOPPED, "b": STATUS.SUCCEEDED}
    with database({"a": [1.0, 0.5], "b": LOGS["b"]}) as manager:
        assert rules(address, rules_request(spec, ended, manager)) == [("loss", "1.0", "GREATER", 2)]


def test_to_maximize_turns_the_comparison_round(address):
    spec = stopping("kftune-bandit", [("slack_amount", "0.25")])
    with database({"a": [0.25, 0.5], "b": [0.125, 0.25]}) as manager:
        found = rules(address, rules_request(spec, ENDED, manager, maximize=True))
    assert found == [("loss", "0.0", "LESS", 1)]


def test_values_that_are_no_finite_numbers_do_not_count_and_do_no_harm(address):
    spec = stopping("kftune-bandit", [("slack_amount", "1")])
    logs = {"a": ["unavailable"], "b": ["", "nan", "inf", "2.5", "-Inf", "0x"], "c": []}
    ended = dict.fromkeys(logs, STATUS.SUCCEEDED)
    with database(logs) as manager:
        assert rules(address, rules_request(spec, ended, manager)) == [("loss", "3.5", "GREATER", 1)]


def test_a_trial_that_ends_later_counts_from_then_on(address):
    spec = stopping("kftune-bandit", [("slack_amount", "2")])
    with database(LOGS) as manager:
        request = rules_request(spec, {"b": STATUS.SUCCEEDED, "a": STATUS.RUNNING}, manager)
        assert rules(address, request) == [("loss", "4.0", "GREATER", 1)]
        request = rules_request(spec, ENDED, manager)
        assert rules(address, request) == [("loss", "3.0", "GREATER", 1)]


@pytest.mark.parametrize(
    ("spec", "manager", "objective", "code", "text"),
    [
        (BANDIT, "127.0.0.1:1", "loss", "UNAVAILABLE", "does not answer"),
        (BANDIT, "file:///etc/passwd", "loss", "UNAVAILABLE", "must be host:port"),
        (BANDIT, "", "loss", "UNAVAILABLE", "must be host:port"),
        (BANDIT, "127.0.0.1:1", "", "INVALID_ARGUMENT", "must have an objective"),
        (stopping("kftune-asha", [("reduction_factor", "1")]), "127.0.0.1:1", "loss", "INVALID_ARGUMENT", "reduction"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_with_a_reason(address, spec, manager, objective, code, text):
    request = rules_request(spec, {"z": STATUS.SUCCEEDED}, manager, objective=objective)
    with pytest.raises(grpc.RpcError) as caught:
        rules(address, request)
    assert caught.value.code().name == code
    assert text in caught.value.details()


@pytest.mark.parametrize("method", ["GetEarlyStoppingRules", "ValidateEarlyStoppingSettings", "SetTrialStatus"])
@pytest.mark.parametrize("data", [b"\xff" * 9, b"\x0a\xff\xff\xff\xff\x0f", b""], ids=["tags", "length", "empty"])
def test_bytes_that_are_no_message_do_not_end_the_service(address, method, data):
    with pytest.raises(grpc.RpcError, match=r"INVALID_ARGUMENT|FAILED_PRECONDITION"):
        call(address, method, data, api_pb2.SetTrialStatusReply)
    assert validated(address, "kftune-asha", []) == ("OK", "")


def test_outside_of_a_pod_no_status_is_changed(address):
    with pytest.raises(grpc.RpcError, match="only by a pod with a service account"):
        call(address, "SetTrialStatus", api_pb2.SetTrialStatusRequest(trial_name="a"), api_pb2.SetTrialStatusReply)


# -- the status of a trial ---------------------------------------------------------------------------------------------


def trial(*conditions: str) -> dict[str, Any]:
    listed = [{"type": each, "status": "True"} for each in conditions]
    return {"metadata": {"name": "a", "resourceVersion": "7"}, "status": {"conditions": listed, "startTime": "x"}}


def test_a_stopped_trial_gets_its_condition_behind_the_others(tmp_path):
    with api_server(tmp_path) as (server, api):
        server.trials["a"] = trial("Created", "Running")
        stop_early("a", api)
    status = server.trials["a"]["status"]
    assert [each["type"] for each in status["conditions"]] == ["Created", "Running", "EarlyStopped"]
    assert status["conditions"][-1].items() >= {"status": "True", "reason": "TrialEarlyStopped"}.items()
    assert status["startTime"] == "x"
    path = "/apis/kubeflow.org/v1beta1/namespaces/team-a/trials/a"
    assert server.requests == [f"GET {path}", f"PATCH {path}/status"]


def test_a_change_of_the_controller_in_between_is_not_undone(tmp_path):
    with api_server(tmp_path) as (server, api):
        server.trials["a"] = trial("Created")
        server.conflicts = 2
        stop_early("a", api)
    assert [each["type"] for each in server.trials["a"]["status"]["conditions"]] == ["Created", "EarlyStopped"]


def test_a_second_call_changes_nothing(tmp_path):
    with api_server(tmp_path) as (server, api):
        server.trials["a"] = trial("Created", "EarlyStopped")
        stop_early("a", api)
    assert [each.partition(" ")[0] for each in server.requests] == ["GET"]


@pytest.mark.parametrize("name", ["", "../pods/x", "A", "a/status", "a?x", "a\n", "é", "a" * 300])
def test_a_text_that_is_no_name_of_a_trial_reaches_no_api_server(tmp_path, name):
    with pytest.raises(InvalidTrialError, match="a trial's name has"):
        stop_early(name, Api("127.0.0.1", 1, tmp_path))


def test_what_the_api_server_says_is_in_the_error(tmp_path):
    with api_server(tmp_path) as (server, api):
        with pytest.raises(TrialStatusError, match=r"404: trials\.kubeflow\.org 'b' not found"):
            stop_early("b", api)
        server.trials["a"] = trial()
        server.conflicts = 99
        with pytest.raises(TrialStatusError, match="409: the object has been modified"):
            stop_early("a", api)
        (api.account / "token").write_text("another")
        with pytest.raises(TrialStatusError, match=r"403: trials\.kubeflow\.org is forbidden"):
            stop_early("a", api)
    with pytest.raises(TrialStatusError, match="does not answer"):
        stop_early("a", api)
    (api.account / "namespace").unlink()
    with pytest.raises(TrialStatusError, match="must name its namespace"):
        stop_early("a", api)


# -- the program -------------------------------------------------------------------------------------------------------


def test_the_program_ends_when_it_is_asked_to():
    with service() as (_, process):
        process.terminate()
        assert process.wait(10) == 0


def test_a_port_that_is_taken_is_an_error_without_a_traceback(address):
    command = [sys.executable, "-m", "kftune.earlystopping", "--address", "256.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "error: cannot listen at 256.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_grpc_the_extra_is_named(tmp_path):
    (tmp_path / "grpc.py").write_text("raise ModuleNotFoundError('no', name='grpc')")
    command = [sys.executable, "-m", "kftune.earlystopping"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}, timeout=60
    )
    assert "needs the package 'grpcio'; install it with: pip install 'kftune[katib]'" in done.stderr


def test_the_code_of_the_messages_is_that_of_the_excerpt():
    from pathlib import Path
    from re import findall

    text = (Path(api_pb2.__file__).parent / "api.proto").read_text()
    names = findall(r"^message (\w+)", text, flags=8)
    fields = {
        (name, field, int(number))
        for name, body in zip(names, text.split("\nmessage ")[1:], strict=True)
        for field, number in findall(r"^    (?:repeated )?[\w.]+ (\w+) = (\d+);", body.split("\n}")[0], flags=8)
    }
    described = api_pb2.DESCRIPTOR.message_types_by_name
    assert {(name, each.name, each.number) for name, message in described.items() for each in message.fields} == fields
    assert ("EarlyStoppingRule", "start_step", 4) in fields
