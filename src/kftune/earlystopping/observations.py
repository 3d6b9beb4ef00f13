"""Asks Katib's database manager what trials have reported."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import grpc

from kftune.earlystopping import api_pb2
from kftune.errors import ClusterError
from kftune.katib.trial.medianstop import Finished

_METHOD = "/api.v1.beta1.DBManager/GetObservationLog"
_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}")
_LARGEST_REPLY = 256 << 20
_LONGEST_CALL = 20.0
# Katib waits 60 seconds for the rules. What was read until then is kept, so the next request gets further.
_LONGEST = 45.0


class ObservationsError(ClusterError):
    """The database manager does not answer, or not in time."""


class Observations:
    """A connection to the database manager.

    Args:
        address: The address that Katib gives, as ``host:port``.

    Raises:
        ObservationsError: It is no address.
    """

    def __init__(self, address: str) -> None:
        if _ADDRESS.fullmatch(address) is None:
            raise ObservationsError(f"db_manager_address must be host:port, but got {address[:80]!r}")
        self._address = address
        self._channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", _LARGEST_REPLY)])
        self._call: Any = self._channel.unary_unary(
            _METHOD,
            request_serializer=api_pb2.GetObservationLogRequest.SerializeToString,
            response_deserializer=api_pb2.GetObservationLogReply.FromString,
        )
        self._end = time.monotonic() + _LONGEST

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def finished(self, trials: Iterable[Any], objective: str) -> Iterator[Finished]:
        """Yields the trials that have ended with a result, with all their values of the objective.

        Args:
            trials: Katib's trials.
            objective: The objective's metric.

        Raises:
            ObservationsError: The database manager does not answer, or not in time.
        """
        status = api_pb2.TrialStatus
        for trial in trials:
            condition = trial.status.condition
            if condition in (status.SUCCEEDED, status.EARLYSTOPPED):
                values = [log.metric.value for log in self._log(trial.name, objective)]
                succeeded = condition == status.SUCCEEDED
                yield Finished(trial.name, succeeded, values, stopped=not succeeded)

    def _log(self, trial: str, metric: str) -> Any:
        left = self._end - time.monotonic()
        if left <= 0:
            raise ObservationsError(f"the database manager {self._address} takes too long; Katib asks again")
        request = api_pb2.GetObservationLogRequest(trial_name=trial, metric_name=metric)
        try:
            return self._call(request, timeout=min(left, _LONGEST_CALL)).observation_log.metric_logs
        except grpc.RpcError as error:
            details = error.details() if isinstance(error, grpc.Call) else str(error)
            raise ObservationsError(f"the database manager {self._address} does not answer: {details}") from error
