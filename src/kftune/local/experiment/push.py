"""Katib's database manager on this machine, to which trials push metrics as on a cluster.

Source: katib v0.19.0, pkg/apis/manager/v1beta1/api.proto (service DBManager), pkg/db/v1beta1.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune.errors import MissingExtraError, RunError
from kftune.katib.trial.protobuf import WireError, bytes_of, delimited, fields, text_of

if TYPE_CHECKING:
    import grpc

_SERVICE = "api.v1.beta1.DBManager"
_THREADS = 4
_MOST_BYTES = 64 << 20


class Pushed(NamedTuple):
    """One value that a trial pushed."""

    name: str
    value: str
    time: str
    """RFC 3339, as the trial wrote it."""


class MetricsServer:
    """Receives metrics by gRPC on a free port of this machine, and keeps those of running trials in memory.

    Together they may take 64 MiB, as they are sent. More is refused, with the error RESOURCE_EXHAUSTED in the trial.

    Raises:
        MissingExtraError: The package grpcio is not installed.
        RunError: There is no free port.

    Attributes:
        address: Where trials reach it, as ``host:port``.
    """

    def __init__(self) -> None:
        try:
            # The other collectors need no gRPC, which takes long to load.
            import grpc  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("katib", "grpcio") from error
        self._rows: dict[str, list[Pushed]] = {}
        self._new: dict[str, list[Pushed]] = {}
        self._sizes: Counter[str] = Counter()
        self._lock = threading.Lock()
        methods = {
            "ReportObservationLog": self._report,
            "GetObservationLog": self._get,
            "DeleteObservationLog": self._delete,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(_answering(method, grpc)) for name, method in methods.items()
        }
        self._server: grpc.Server = grpc.server(ThreadPoolExecutor(_THREADS))
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        try:
            port = self._server.add_insecure_port("127.0.0.1:0")
        except RuntimeError as error:
            raise RunError(f"cannot bind a local port for pushed metrics: {error}") from error
        self.address = f"127.0.0.1:{port}"
        self._server.start()

    def rows(self, trial: str) -> list[Pushed]:
        """Returns what a trial has pushed so far, by time."""
        with self._lock:
            found = list(self._rows.get(trial, ()))
        return sorted(found, key=lambda row: row.time)

    def take_new(self, trial: str) -> list[Pushed]:
        """Returns what a trial has pushed since the last call, in the order in which it came, deleted or not."""
        with self._lock:
            return self._new.pop(trial, [])

    def forget(self, trial: str) -> None:
        """Drops what a trial has pushed, because it starts now, or has ended."""
        with self._lock:
            for each in (self._rows, self._new, self._sizes):
                each.pop(trial, None)

    def close(self) -> None:
        """Ends the server."""
        self._server.stop(None)

    # -- the service -------------------------------------------------------------------------------------------

    def _report(self, request: bytes) -> bytes:
        """ReportObservationLogRequest: trial_name 1, observation_log 2."""
        trial, log = "", b""
        for number, value in fields(request):
            if number == 1:
                trial = text_of(value)
            elif number == 2:
                log = bytes_of(value)
        # Source: pkg/db/v1beta1/mysql: a row without a time is ignored.
        rows = [row for row in _rows_of(log) if row.time]
        with self._lock:
            if self._sizes.total() + len(request) > _MOST_BYTES:
                raise _FullError(f"all pushed metrics may take {_MOST_BYTES >> 20} MiB; report less often")
            self._sizes[trial] += len(request)
            for each in (self._rows, self._new):
                each.setdefault(trial, []).extend(rows)
        return b""

    def _get(self, request: bytes) -> bytes:
        """GetObservationLogRequest: trial_name 1, metric_name 2, start_time 3, end_time 4."""
        asked = {number: text_of(value) for number, value in fields(request)}
        metric, start, end = asked.get(2, ""), asked.get(3, ""), asked.get(4, "")
        log = b"".join(
            delimited(1, _message_of(row))
            for row in self.rows(asked.get(1, ""))
            if metric in ("", row.name) and (not start or row.time >= start) and (not end or row.time <= end)
        )
        return delimited(1, log)

    def _delete(self, request: bytes) -> bytes:
        """DeleteObservationLogRequest: trial_name 1."""
        for number, value in fields(request):
            if number == 1:
                with self._lock:
                    self._rows.pop(text_of(value), None)
        return b""


class _FullError(Exception):
    """There is no room for more."""


def _answering(method: Any, grpc: Any) -> Any:
    def answer(request: bytes, context: Any) -> bytes:
        try:
            return bytes(method(request))
        except WireError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise
        except _FullError as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
            raise

    return answer


def _rows_of(log: bytes) -> Iterator[Pushed]:
    """ObservationLog: metric_logs 1, of time_stamp 1 and metric 2, of name 1 and value 2."""
    for number, value in fields(log):
        if number != 1:
            continue
        parts = dict(fields(bytes_of(value)))
        metric = dict(fields(bytes_of(parts.get(2, b""))))
        yield Pushed(text_of(metric.get(1, b"")), text_of(metric.get(2, b"")), text_of(parts.get(1, b"")))


def _message_of(row: Pushed) -> bytes:
    metric = delimited(1, row.name) + delimited(2, row.value)
    return delimited(1, row.time) + delimited(2, metric)
