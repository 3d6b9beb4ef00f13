"""What the API server refuses in the spec of a Job, apart from its pod.

Source: Kubernetes 1.36, pkg/apis/batch/validation; each rule was tried on its API server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_list, as_map, maps
from kftune.katib.pod.checks import KEY, Problem, all_of, each, fields, is_domain_path, on_map, one_of, text, whole

_MOST_INDEXED = 100_000
_ACTIONS = ("FailJob", "FailIndex", "Ignore", "Count")


def _source(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if bool(value.get("onExitCodes")) == bool(value.get("onPodConditions")):
        yield Problem(path, "a rule has either onExitCodes or onPodConditions")


def _codes(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    codes = [code for code in as_list(value.get("values")) if isinstance(code, int)]
    if codes != sorted(set(codes)):
        yield Problem((*path, "values"), "values must be in order, each once")
    if value.get("operator") == "In" and 0 in codes:
        yield Problem((*path, "values"), "0 is success: operator In cannot name it")


_JOB = fields(
    {
        "backoffLimitPerIndex": whole(0),
        "maxFailedIndexes": whole(0),
        "managedBy": text(is_domain_path, "a name with a domain, such as example.org/controller"),
        "podFailurePolicy": fields(
            {
                "rules": each(
                    all_of(
                        fields(
                            {
                                "action": one_of(*_ACTIONS),
                                "onExitCodes": all_of(
                                    fields({"operator": one_of("In", "NotIn")}, "operator", "values"), on_map(_codes)
                                ),
                                "onPodConditions": each(
                                    fields({"type": KEY, "status": one_of("True", "False", "Unknown")}, "type")
                                ),
                            },
                            "action",
                        ),
                        on_map(_source),
                    )
                )
            }
        ),
        "podReplacementPolicy": one_of("TerminatingOrFailed", "Failed"),
        "successPolicy": fields({}, "rules"),
    }
)


def job_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields why the API server refuses a Job with this spec.

    Args:
        spec: The spec.
        path: Its path.
    """
    yield from _JOB(spec, path)
    indexed = spec.get("completionMode") == "Indexed"
    for name in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"):
        if spec.get(name) is not None and not indexed:
            yield Problem((*path, name), f"{name} needs completionMode Indexed")
    if indexed:
        yield from _indexed_problems(spec, path)
    if spec.get("podFailurePolicy") is not None:
        yield from _policy_problems(spec, path)
    asked = as_map(as_map(spec.get("selector")).get("matchLabels"))
    labels = as_map(as_map(as_map(spec.get("template")).get("metadata")).get("labels"))
    if spec.get("manualSelector") is True and any(labels.get(key) != text for key, text in asked.items()):
        yield Problem((*path, "selector"), "the pods do not have the labels of the selector")


def _indexed_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    if completions is None and parallelism is not None:
        yield Problem(path, "an Indexed Job with parallelism needs completions")
    if isinstance(parallelism, int) and parallelism > _MOST_INDEXED:
        yield Problem((*path, "parallelism"), f"an Indexed Job has a parallelism of at most {_MOST_INDEXED}")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield Problem((*path, "maxFailedIndexes"), "maxFailedIndexes needs backoffLimitPerIndex")
    most = completions if isinstance(completions, int) else 1
    failed = spec.get("maxFailedIndexes")
    if isinstance(failed, int) and failed > most:
        yield Problem((*path, "maxFailedIndexes"), f"maxFailedIndexes must be at most completions {most}, not {failed}")
    for rule, at in maps(as_map(spec.get("successPolicy")), "rules", (*path, "successPolicy")):
        count = rule.get("succeededCount")
        if count is None and rule.get("succeededIndexes") is None:
            yield Problem(at, "a rule of successPolicy needs succeededCount or succeededIndexes")
        elif isinstance(count, int) and not 0 <= count <= most:
            yield Problem((*at, "succeededCount"), f"succeededCount must be between 0 and completions {most}")


def _policy_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    pod = as_map(as_map(spec.get("template")).get("spec"))
    if pod.get("restartPolicy") == "OnFailure":
        yield Problem((*path, "podFailurePolicy"), "podFailurePolicy needs the pod's restartPolicy Never")
    if spec.get("podReplacementPolicy") == "TerminatingOrFailed":
        yield Problem((*path, "podReplacementPolicy"), "podFailurePolicy needs podReplacementPolicy Failed")
    containers = [*maps(pod, "initContainers", ()), *maps(pod, "containers", ())]
    names = {str(container.get("name")) for container, _ in containers}
    for rule, at in maps(as_map(spec.get("podFailurePolicy")), "rules", (*path, "podFailurePolicy")):
        named = as_map(rule.get("onExitCodes")).get("containerName")
        if named is not None and str(named) not in names:
            yield Problem((*at, "onExitCodes", "containerName"), f"the pod has no container {named!r}")
        if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            yield Problem((*at, "action"), "action FailIndex needs backoffLimitPerIndex")
