"""The gRPC service `EarlyStopping`, which Katib asks for the rules of new trials.

Source: katib v0.19.0, pkg/apis/manager/v1beta1/api.proto; pkg/controller.v1beta1/suggestion/suggestionclient: Katib
takes an Experiment as failed when its settings are answered with INVALID_ARGUMENT, and asks again after other errors.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from kftune.earlystopping import api_pb2
from kftune.earlystopping.fixed import FixedRules
from kftune.earlystopping.observations import Observations, ObservationsError
from kftune.earlystopping.settings import rule_of
from kftune.earlystopping.trial_status import Api, InvalidTrialError, TrialStatusError, stop_early
from kftune.errors import KftuneError, SettingError

_SERVICE = "api.v1.beta1.EarlyStopping"
_THREADS = 8
_LARGEST_REQUEST = 256 << 20  # it has all trials
# Katib starts one service for each Experiment.
_MOST_EXPERIMENTS = 16
_COMPARISONS = {"equal": api_pb2.EQUAL, "less": api_pb2.LESS, "greater": api_pb2.GREATER}
_CODES = {
    SettingError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidTrialError: grpc.StatusCode.INVALID_ARGUMENT,
    ObservationsError: grpc.StatusCode.UNAVAILABLE,
    TrialStatusError: grpc.StatusCode.FAILED_PRECONDITION,
}

_log = logging.getLogger("kftune.earlystopping")

Key = tuple[str, ...]


class EarlyStopping:
    """What the service answers.

    Args:
        api: Returns the API server of the cluster.
    """

    def __init__(self, api: Callable[[], Api] = Api.of_pod) -> None:
        self._api = api
        self._rules: dict[Key, FixedRules] = {}
        self._lock = Lock()

    def validate(self, request: Any) -> Any:
        """Checks the settings of an Experiment.

        Raises:
            SettingError: They are invalid.
        """
        _rule(request.early_stopping)
        return api_pb2.ValidateEarlyStoppingSettingsReply()

    def rules(self, request: Any) -> Any:
        """Returns the rules of the trials that are created next.

        Raises:
            SettingError: The Experiment's settings are invalid, or it has no objective.
            ObservationsError: The database manager does not answer.
        """
        spec = request.experiment.spec
        objective = spec.objective.objective_metric_name
        if not objective:
            raise SettingError("the Experiment must have an objective, but objective_metric_name is empty")
        with self._lock:
            fixed = self._of(request.experiment)
            unknown = [trial for trial in request.trials if not fixed.knows(trial.name)]
            with Observations(request.db_manager_address) as observations:
                found = fixed.rules(observations.finished(unknown, objective))
        reply = api_pb2.GetEarlyStoppingRulesReply()
        for rule in found:
            _log.info("%s: new trials: %s", request.experiment.name, rule)
            reply.early_stopping_rules.add(
                name=rule.name,
                value=rule.value,
                comparison=_COMPARISONS[rule.comparison],
                start_step=rule.start_step,
            )
        return reply

    def set_status(self, request: Any) -> Any:
        """Marks a trial as stopped early.

        Raises:
            TrialStatusError: The API server refuses, or cannot be reached.
        """
        stop_early(request.trial_name, self._api())
        _log.info("trial %s is stopped early", request.trial_name)
        return api_pb2.SetTrialStatusReply()

    def _of(self, experiment: Any) -> FixedRules:
        """Returns the rules of an Experiment, with what they have seen of its trials."""
        spec = experiment.spec
        stopping = spec.early_stopping.SerializeToString(deterministic=True).hex()
        key = (experiment.name, spec.objective.objective_metric_name, str(spec.objective.type), stopping)
        if key not in self._rules:
            rule = _rule(spec.early_stopping)
            kind = "maximize" if spec.objective.type == api_pb2.MAXIMIZE else "minimize"
            while len(self._rules) >= _MOST_EXPERIMENTS:
                del self._rules[next(iter(self._rules))]
            self._rules[key] = FixedRules(rule, spec.objective.objective_metric_name, kind)
        return self._rules[key]


def _rule(stopping: Any) -> Any:
    return rule_of(stopping.algorithm_name, [(each.name, each.value) for each in stopping.algorithm_settings])


def serve(address: str, service: EarlyStopping) -> tuple[grpc.Server, int]:
    """Starts a server; returns it and its port.

    Args:
        address: Where it listens, as ``host:port``; port 0 takes a free one.
        service: What it answers.

    Raises:
        KftuneError: The port cannot be used.
    """
    methods = {
        "GetEarlyStoppingRules": (service.rules, api_pb2.GetEarlyStoppingRulesRequest),
        "SetTrialStatus": (service.set_status, api_pb2.SetTrialStatusRequest),
        "ValidateEarlyStoppingSettings": (service.validate, api_pb2.ValidateEarlyStoppingSettingsRequest),
    }
    handlers = {name: _handler(name, method, request) for name, (method, request) in methods.items()}
    options = [("grpc.max_receive_message_length", _LARGEST_REQUEST)]
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise KftuneError(f"cannot listen at {address}: {error}") from error
    server.start()
    return server, port


def _handler(name: str, method: Callable[[Any], Any], request: Any) -> Any:
    def answer(data: bytes, context: Any) -> Any:
        try:
            return method(_message(request, data))
        except KftuneError as error:
            code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
            _log.warning("%s: %s: %s", name, code.name, error)
            context.abort(code, str(error))
            raise

    return grpc.unary_unary_rpc_method_handler(answer, response_serializer=lambda reply: reply.SerializeToString())


def _message(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise SettingError(
            f"the request must be a {kind.DESCRIPTOR.name} of Katib's API, but is not: {error}"
        ) from error
