"""Writes what kftune.earlystopping needs of Katib's gRPC API: an excerpt of its api.proto, and the Python code of that.

python tools/katib_proto.py KATIB/pkg/apis/manager/v1beta1/api.proto

It needs grpcio-tools 1.62.3: the code of later versions refuses older versions of protobuf.
"""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / "src/kftune/earlystopping"
PARTS = (
    "service EarlyStopping",
    "message Experiment",
    "message ExperimentSpec",
    "message ObjectiveSpec",
    "enum ObjectiveType",
    "message EarlyStoppingSpec",
    "message EarlyStoppingSetting",
    "message Trial",
    "message TrialStatus",
    "message Metric",
    "message ObservationLog",
    "message MetricLog",
    "message GetObservationLogRequest",
    "message GetObservationLogReply",
    "message GetEarlyStoppingRulesRequest",
    "message GetEarlyStoppingRulesReply",
    "message EarlyStoppingRule",
    "message ValidateEarlyStoppingSettingsRequest",
    "message ValidateEarlyStoppingSettingsReply",
    "enum ComparisonType",
    "message SetTrialStatusRequest",
    "message SetTrialStatusReply",
)
"""The definitions of Katib's file that are taken, in its order."""

LEFT_OUT = (
    "message ParameterSpecs",
    "ParameterSpecs",
    "AlgorithmSpec",
    "NasConfig",
    "TrialSpec",
    "Observation observation",
)
"""What is left out inside of these: fields that the service does not read, with the types of their own."""

_HEAD = """// An excerpt of Katib's gRPC API, written by tools/katib_proto.py: what an early stopping service needs.
//
// Source: katib v0.19.0, pkg/apis/manager/v1beta1/api.proto (Apache License 2.0, The Kubeflow Authors).
syntax = "proto3";

package api.v1.beta1;
"""


def excerpt(text: str) -> str:
    """Returns the definitions that the service needs, without comments.

    Args:
        text: Katib's api.proto.
    """
    plain = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    return "\n".join([_HEAD, *(f"{_kept(_definition(plain, part))}\n" for part in PARTS)])


def _definition(text: str, head: str) -> str:
    start = re.search(rf"^{head} \{{", text, flags=re.MULTILINE)
    if start is None:
        raise SystemExit(f"Katib's api.proto must have {head!r}; correct PARTS")
    return text[start.start() : _end(text, start.end())]


def _end(text: str, position: int) -> int:
    """Returns the end of the block in which a position is."""
    depth = 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position


def _kept(definition: str) -> str:
    lines: list[str] = []
    inside = 0
    for line in definition.splitlines():
        word = line.strip()
        if inside or any(word.startswith(f"{name} ") for name in LEFT_OUT):
            inside += word.count("{") - word.count("}")
        elif word:
            lines.append(line.rstrip())
    return "\n".join(lines)


def main() -> None:
    """Writes api.proto and api_pb2.py."""
    from grpc_tools import protoc  # noqa: PLC0415  # only this script needs it

    target = HOME / "api.proto"
    target.write_text(excerpt(Path(sys.argv[1]).read_text(encoding="utf-8")), encoding="utf-8")
    well_known = resources.files("grpc_tools") / "_proto"
    code = protoc.main(
        ["protoc", f"-I{HOME}", f"-I{well_known}", f"--python_out={HOME}", f"--pyi_out={HOME}", str(target)]
    )
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    main()
