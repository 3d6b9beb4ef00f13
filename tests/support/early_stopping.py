"""Katib around the early stopping service: the service, its client, a database manager and an API server."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc

from kftune.earlystopping import api_pb2
from kftune.earlystopping.trial_status import Api
from kftune.katib.trial.protobuf import delimited
from kftune.local.experiment.push import MetricsServer

SERVICE = "/api.v1.beta1.EarlyStopping/"
TOKEN = "a-token"  # noqa: S105  # of the server below


@contextmanager
def service(environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Runs `python -m kftune.earlystopping` at a free port. Yields its address and the process."""
    command = [sys.executable, "-m", "kftune.earlystopping", "--address", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    assert process.stderr is not None
    # What it logs must not fill the pipe.
    reader = threading.Thread(target=process.stderr.read, daemon=True)
    try:
        line = process.stderr.readline()
        found = re.search(r"listens at port (\d+)", line)
        assert found is not None, line
        reader.start()
        yield f"127.0.0.1:{found[1]}", process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        reader.join(10)
        process.stderr.close()


def call(address: str, method: str, request: Any, reply: Any) -> Any:
    """Calls a method of the service; raises grpc.RpcError."""
    with grpc.insecure_channel(address) as channel:
        data = request if isinstance(request, bytes) else request.SerializeToString()
        return reply.FromString(channel.unary_unary(SERVICE + method)(data, timeout=30))


def validated(address: str, algorithm: str, settings: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Returns code and text with which the service answers to settings."""
    request = api_pb2.ValidateEarlyStoppingSettingsRequest(early_stopping=stopping(algorithm, settings))
    try:
        call(address, "ValidateEarlyStoppingSettings", request, api_pb2.ValidateEarlyStoppingSettingsReply)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def stopping(algorithm: str, settings: Sequence[tuple[str, str]]) -> Any:
    """Returns spec.earlyStopping as Katib sends it."""
    given = [api_pb2.EarlyStoppingSetting(name=name, value=value) for name, value in settings]
    return api_pb2.EarlyStoppingSpec(algorithm_name=algorithm, algorithm_settings=given)


def rules_request(
    spec: Any, trials: Mapping[str, Any], database: str, *, maximize: bool = False, objective: str = "loss"
) -> Any:
    """Returns what Katib asks for new trials.

    Args:
        spec: What `stopping` returns.
        trials: Name -> condition, of `api_pb2.TrialStatus`.
        database: The address of the database manager.
        maximize: Whether higher values are better.
        objective: The objective.
    """
    kind = api_pb2.MAXIMIZE if maximize else api_pb2.MINIMIZE
    goal = api_pb2.ObjectiveSpec(type=kind, objective_metric_name=objective)
    return api_pb2.GetEarlyStoppingRulesRequest(
        experiment=api_pb2.Experiment(name="search", spec=api_pb2.ExperimentSpec(objective=goal, early_stopping=spec)),
        trials=[
            api_pb2.Trial(name=name, status=api_pb2.TrialStatus(condition=condition))
            for name, condition in trials.items()
        ],
        db_manager_address=database,
    )


def rules(address: str, request: Any) -> list[tuple[str, str, str, int]]:
    """Returns the rules with which the service answers."""
    reply = call(address, "GetEarlyStoppingRules", request, api_pb2.GetEarlyStoppingRulesReply)
    names = api_pb2.ComparisonType.Name
    return [(each.name, each.value, names(each.comparison), each.start_step) for each in reply.early_stopping_rules]


@contextmanager
def database(logs: Mapping[str, Sequence[object]], objective: str = "loss") -> Iterator[str]:
    """Runs a database manager with the values of trials. Yields its address."""
    server = MetricsServer()
    try:
        with grpc.insecure_channel(server.address) as channel:
            report = channel.unary_unary("/api.v1.beta1.DBManager/ReportObservationLog")
            for trial, values in logs.items():
                rows = [delimited(1, objective) + delimited(2, str(value)) for value in values]
                # As the collector stores lines without a time.
                log = b"".join(delimited(1, delimited(1, "0001-01-01T00:00:00Z") + delimited(2, row)) for row in rows)
                report(delimited(1, trial) + delimited(2, log), timeout=10)
        yield server.address
    finally:
        server.close()


class TrialsServer:
    """The part of an API server that has trials, over TLS and with a token.

    Attributes:
        trials: Name -> object.
        conflicts: How many of the next patches are answered with a conflict, as if others had changed the trial.
        requests: Method and path of each request.
    """

    def __init__(self) -> None:
        self.trials: dict[str, dict[str, Any]] = {}
        self.conflicts = 0
        self.requests: list[str] = []

    def answer(self, method: str, path: str, authorization: str, body: Any) -> tuple[int, Any]:
        """Returns status and body for a request."""
        self.requests.append(f"{method} {path}")
        parts = path.strip("/").split("/")
        found = self.trials.get(parts[6]) if parts[:6] == PLACE else None
        if authorization != f"Bearer {TOKEN}":
            return 403, {"kind": "Status", "message": "trials.kubeflow.org is forbidden"}
        if found is None:
            return 404, {"kind": "Status", "message": f"trials.kubeflow.org {parts[-1]!r} not found"}
        if method == "PATCH":
            if self.conflicts or body["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
                self.conflicts -= 1
                return 409, {"kind": "Status", "message": "the object has been modified"}
            found["status"] |= body["status"]
        return 200, found


PLACE = ["apis", "kubeflow.org", "v1beta1", "namespaces", "team-a", "trials"]


@contextmanager
def api_server(folder: Path) -> Iterator[tuple[TrialsServer, Api]]:
    """Runs an API server. Yields it, and how a pod reaches it."""
    server = TrialsServer()
    account = folder / "account"
    account.mkdir()
    key, certificate = account / "key.pem", account / "ca.crt"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kubernetes"]
    place = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *place], check=True, capture_output=True)
    (account / "token").write_text(f"{TOKEN}\n")
    (account / "namespace").write_text("team-a")

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = server.answer(
                self.command, self.path, self.headers.get("Authorization", ""), json.loads(data) if data else None
            )
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PATCH = _reply  # noqa: N815  # http.server's names

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server, Api("127.0.0.1", http.server_address[1], account)
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
