"""Compares kftune with all cases in tests/corpus and prints how far they agree: `make conformance`.

    PYTHONPATH=tools python tests/support/conformance.py [--show] [--corpus FOLDER] [NAME...]

The exit code is 1 if a part agrees less than its goal. Writes nothing.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from argo_as_run import lint
from katib_as_run import collector_args, restarted, stop_flag, stop_rule
from lint_examples import EXAMPLE
from recorded import Case, cases, cluster, first, read_from
from wrapped_runs import breakage

from kftune import yaml_text
from kftune.katib.admission import Verdict, admit, not_yaml
from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.admission.reason import field_text
from kftune.katib.crd.objects import judge_object
from kftune.katib.engines import search_problems
from kftune.katib.go.numbers import go_float
from kftune.katib.go.reading import NotYamlError
from kftune.katib.go.types import DecodeError, struct
from kftune.katib.trial.aggregation import AggregationError, observation
from kftune.katib.trial.collector import CollectorError, CollectorPanic, Row, as_passed, collect
from kftune.katib.trial.conditions import is_completed, is_restartable
from kftune.katib.trial.medianstop import Finished, MedianStop, MedianStopError, refused_setting
from kftune.katib.trial.status import status_of
from kftune.katib.trial.stopping import StoppingError, StopRule, StopWatch
from kftune.katib.trial.substitution import SubstitutionError, SubstitutionPanic, config_map_text, run_object
from kftune.katib.trial.wrapper import WrapperError, WrapperPanic, wrap
from kftune.lint.experiment import check_experiment
from kftune.lint.rules.rule import SEVERITIES
from kftune.lint.sources import SourceText, documents

Facts = Mapping[str, Any]
"""The result of kftune for a case, or the recorded one, in a form that can be compared."""


class Part(NamedTuple):
    """A comparison over one file of the corpus."""

    file: str
    compare: Callable[[Case], tuple[Facts, Facts] | None] | None
    """Returns the results of kftune and of the recording; None for a case that belongs to another part. A part
    without a function has no code in kftune yet."""
    goal: float | None = 1.0
    """The share that must agree; None if it is only printed."""


class Disagreement(NamedTuple):
    """A case in which kftune and the recording differ."""

    case: str
    said: Facts
    recorded: Facts


# -- admission -------------------------------------------------------------------------------------------------------


def verdict_of(case: Case, version: KatibVersion) -> Verdict:
    """Returns kftune's verdict on a case of `admission`."""
    try:
        old = first(case["old"]) if "old" in case else None
        return admit(first(case["yaml"]), cluster=cluster(case.get("label", True)), version=version, old=old)
    except NotYamlError as error:
        return not_yaml(error)


def admission(case: Case, version: KatibVersion) -> tuple[Facts, Facts]:
    """Compares admission, the stage, and the ordered list of fields."""
    verdict, recorded = verdict_of(case, version), case[version]
    said = {
        "admitted": verdict.admitted,
        "stage": verdict.stage,
        "reasons": [[reason.field, reason.type] for reason in verdict.reasons],
    }
    reasons = [[reason["field"], reason["type"]] for reason in recorded["reasons"]]
    return said, {"admitted": recorded["admitted"], "stage": recorded["stage"], "reasons": reasons}


# -- texts -----------------------------------------------------------------------------------------------------------


def scalars(case: Case) -> tuple[Facts, Facts]:
    """Compares the type that kubectl's reader gives to a plain scalar."""
    return {"kubectl": _scalar_kind(case["plain"])}, {"kubectl": case["kubectl"]}


def _scalar_kind(plain: str) -> str:
    try:
        value = first(f"a: {plain}\n")["a"]
    except NotYamlError:
        return "error"
    if isinstance(value, str):
        return "string" if value == plain else "other string"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e21:
        return "int"  # its JSON has no point and no exponent
    return type(value).__name__


def engines(case: Case) -> tuple[Facts, Facts] | None:
    """Compares the outcome if the Experiment alone determines it."""
    if not case["static"]:
        return None
    algorithm = {"algorithmName": case["algorithm"], "algorithmSettings": _settings(case)}
    spec = {
        "algorithm": algorithm,
        "parameters": case["parameters"],
        "parallelTrialCount": case["parallel"],
        "maxTrialCount": case["max"],
    }
    found = search_problems(spec, "0.19")
    outcomes = [problem.outcome for problem in found if problem.outcome != "advice"]
    return {"outcome": min(outcomes, key=SEVERITIES.index, default="ok")}, {"outcome": _of_suggestions(case)}


def _of_suggestions(case: Case) -> str:
    """Returns the recorded outcome; `hangs` for suggestions that Katib cannot create trials from.

    The recording ends at the engine's answers. Katib needs exactly one assignment for each trial parameter.

    Source: katib v0.19.0, pkg/controller.v1beta1/experiment/manifest/generator.go; trials on a cluster.
    """
    unusable = "missing from the assignments" in case["why"] or "assigned twice" in case["why"]
    return "hangs" if case["outcome"] == "wrong" and unusable else str(case["outcome"])


def _settings(case: Case) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in case["settings"]]


# -- metrics ---------------------------------------------------------------------------------------------------------


def collector(case: Case) -> tuple[Facts, Facts]:
    """Compares the rows byte by byte, or the error or panic."""
    given, recorded = case["input"], case["result"]
    metrics, filters = given["metrics"], given["filters"]
    if "m_flag" in given:
        metrics, filters = as_passed([given["m_flag"]], [given["f_flag"]])
    said: Facts
    try:
        rows = _collected(given, metrics, filters)
        said = {"rows": [[row.name, row.timestamp, row.value.encode("utf-8", "surrogateescape")] for row in rows]}
    except CollectorPanic:
        said = {"panic": True}
    except CollectorError:
        said = {"error": True}
    if not recorded["ok"]:
        return said, {"panic" if "panic" in recorded else "error": True}
    return said, {"rows": [[row["name"], row["timestamp"], _bytes_of(row)] for row in recorded["metric_logs"]]}


def _collected(given: Mapping[str, Any], metrics: list[str], filters: list[str]) -> list[Row]:
    if given.get("no_file"):
        raise CollectorError("failed to open the file")
    log = base64.b64decode(given["log_b64"]) if "log_b64" in given else given["log"].encode()
    return collect(log, metrics, filters or (), given["format"])


def _bytes_of(row: Mapping[str, str]) -> bytes:
    return base64.b64decode(row["value_b64"]) if "value_b64" in row else row["value"].encode()


def aggregate(case: Case) -> tuple[Facts, Facts]:
    """Compares min, max and latest of each metric."""
    given, recorded = case["input"], case["result"]
    rows = [Row(row.get("name", ""), row.get("value", ""), row.get("timestamp", "")) for row in given["logs"]]
    try:
        metrics = observation(rows, [strategy.get("name", "") for strategy in given["strategies"]])
    except AggregationError as error:
        said = str(error)
        return {"error": said}, {"error": str(recorded.get("error", ""))[: len(said)]}
    found = {metric.name: {"min": metric.min, "max": metric.max, "latest": metric.latest} for metric in metrics}
    return {"ok": True, "metrics": found, "n_metrics": len(metrics)}, recorded


def stopping(case: Case) -> tuple[Facts, Facts]:
    """Compares the line at which the trial is stopped and the remaining rules, or the fatal error."""
    given, recorded = case["input"], dict(case["result"])
    if "best_so_far" in recorded:
        recorded["best_so_far"] = _comparable(go_float(recorded["best_so_far"]))
    for kind in ("fatal", "panic"):
        if kind in recorded:
            recorded[kind] = True
    recorded.pop("flag_error", None)
    try:
        rules = [stop_rule(flag) for flag in given["stop_rule_flags"]]
    except StoppingError as error:
        return {} if str(error).startswith("Invalid") else {"fatal": True, "line": -1, "stopped": False}, recorded
    if not rules:
        return {"no_rules": True}, recorded
    return _watched(given, rules), recorded


def _watched(given: Mapping[str, Any], rules: list[StopRule]) -> Facts:
    metrics, filters = as_passed([given["m_flag"]], [given["f_flag"]])
    watch = StopWatch(rules, metrics[0], given["o_type"], filters, given["format"])
    lines = given["log"].encode().split(b"\n")
    said: dict[str, Any] = {"stopped": False}
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines):
        try:
            stops = watch.line(line)
        except StoppingError:
            said.pop("n_stops", None)
            return {**said, "fatal": True, "line": number}
        except CollectorPanic:
            return {**said, "panic": True, "line": number}
        if stops:
            said = {"stopped": True, "stop_line": number, "n_stops": 1}
    said["rules_left"] = [stop_flag(rule) for rule in watch.left]
    if watch.best is not None:
        said["best_so_far"] = _comparable(watch.best)
    return said


def _comparable(value: float | None) -> float | str | None:
    return "NaN" if value is not None and math.isnan(value) else value


def medianstop(case: Case) -> tuple[Facts, Facts]:
    """Compares the service's answer to settings, or the rules of each round."""
    settings = [(name, value) for name, value in case["settings"]]
    if case["stage"] == "validate":
        if case["algorithm"] != "medianstop":
            return {"verdict": "refused"}, {"verdict": case["verdict"]}
        refused = refused_setting(settings)
        said = {"verdict": "refused" if refused else "ok", "message": refused.message if refused else ""}
        return said, {"verdict": case["verdict"], "message": case["message"]}
    service = MedianStop(settings, "loss", case["objective_type"])
    rounds = []
    for trials in case["trials"]:
        seen = [Finished(name, state == "SUCCEEDED", values) for name, state, values in trials]
        try:
            rules = [{**rule._asdict(), "comparison": rule.comparison.upper()} for rule in service.rules(seen)]
            rounds.append({"code": "OK", "rules": rules})
        except MedianStopError:
            rounds.append({"code": "EXCEPTION"})
    recorded = [{key: value for key, value in one.items() if key != "message"} for one in case["rounds"]]
    return {"rounds": rounds}, {"rounds": recorded}


# -- trials ----------------------------------------------------------------------------------------------------------


def wrapper(case: Case) -> tuple[Facts, Facts]:
    """Compares command, args and mounts of the primary container, and the collector's arguments."""
    given, recorded = case["input"], dict(case["result"])
    for kind in ("panic", "error", "sidecar_panic"):
        if kind in recorded:
            recorded[kind] = True
    collecting = given["metricsCollectorSpec"]
    objective = {
        "type": "minimize",
        "objectiveMetricName": given["objectiveMetricName"],
        "additionalMetricNames": given.get("additionalMetricNames"),
    }
    said: dict[str, Any] = {}
    try:
        # The recorded arguments belong to a trial without rules.
        said["sidecar_args"] = collector_args("t1", objective, collecting)
    except WrapperPanic:
        said["sidecar_panic"] = True
    try:
        wrapped = wrap(
            given["command"],
            given["args"],
            collecting,
            early_stopping=given["rules"] is not None,
            image=given["image"],
        )
    except WrapperPanic:
        return {**said, "ok": False, "panic": True}, recorded
    except WrapperError:
        return {**said, "ok": False, "error": True}, recorded
    mounts = [{"name": mount.name, "mountPath": mount.path} for mount in wrapped.mounts]
    command, args = list(wrapped.command), list(wrapped.args)
    return {**said, "ok": True, "command": command, "args": args, "mounts": mounts or None}, recorded


def command_verdict(case: Case) -> tuple[Facts, Facts]:
    """Compares lint's findings on a command with what the wrapper broke in the recorded run."""
    given = case["input"]
    experiment: Any = first(EXAMPLE)
    spec = experiment["spec"]
    spec["objective"]["objectiveMetricName"] = given["objectiveMetricName"]
    spec["metricsCollectorSpec"] = given["metricsCollectorSpec"]
    (container,) = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    # Go writes no empty list, and the webhook rejects one.
    for field in ("command", "args"):
        container.pop(field, None)
        if given[field]:
            container[field] = given[field]
    container["image"] = given["image"]
    used = [f"${{trialParameters.{name}}}" for name in ("lr", "units")]
    container["env"] = [{"name": "USED", "value": " ".join(used)}]
    (document,) = documents(SourceText("case.yaml", json.dumps(experiment), named=True))
    judgement = check_experiment(document, cluster(), "0.19")
    against = [found.code for found in judgement.findings if found.code in _OF_COMMANDS and found.severity != "advice"]
    with tempfile.TemporaryDirectory() as folder:
        clean = "run" in case and case["result"].get("ok", False) and not breakage(case, Path(folder))
    return {"clean": judgement.verdict.admitted and not against}, {"clean": clean}


_OF_COMMANDS = frozenset({"KT246", "KT247", *(f"KT{number}" for number in range(250, 260))})


def substitution(case: Case) -> tuple[Facts, Facts]:
    """Compares the created object, error or panic; where Katib's order is random, with one of the recorded objects."""
    given, recorded = case["input"], case["result"]
    said: Facts
    try:
        experiment: Any = first(given["experiment"])
        struct("Experiment").decode(experiment)
        config_maps = {("ns1", "cm"): given["configmap"]} if given["configmap"] is not None else {}
        made = run_object(
            experiment,
            [(assignment["name"], assignment["value"]) for assignment in given["assignments"]],
            name=given["trial_name"],
            namespace=given["trial_namespace"],
            config_map=config_map_text(experiment, config_maps),
        )
        said = {"object": _numbers(made)}
    except SubstitutionPanic:
        said = {"panic": True}
    except SubstitutionError:
        said = {"error": True}
    except DecodeError:
        said = {"decode_error": True}
    wanted = [_substituted(variant) for variant in recorded.get("variants", [recorded])]
    return said, said if said in wanted else wanted[0]


def _substituted(result: Mapping[str, Any]) -> Facts:
    if result["ok"]:
        return {"object": _numbers(result["runSpec"])}
    return {kind: True for kind in ("panic", "error", "decode_error") if kind in result}


def _numbers(value: Any) -> Any:
    """Converts integers beyond 64 bits to floats, as Go does."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def status(case: Case) -> tuple[Facts, Facts]:
    """Compares the status after each step, and whether the Experiment is completed, restartable and restarted."""
    given = case["input"]
    experiment = given["experiment"]
    before = experiment.get("status", None if given["created"] else {})
    current = status_of(experiment, given["trials"], before)
    if given.get("suggestion_done"):
        current = status_of(experiment, given["trials"], current, suggestions_ended=True)
    said = [_seen(experiment, current)]
    recorded = [_recorded_status(case["result"])]
    for step, result in zip(given.get("steps", ()), case["result"].get("steps_result", ()), strict=True):
        spec = {key: value for key, value in experiment["spec"].items() if not step.get("unset_max") or key != _MAX}
        experiment = {**experiment, "spec": {**spec, _MAX: step["set_max"]} if "set_max" in step else spec}
        after = restarted(experiment, current) if step.get("restart") else None
        if after is not None:
            current = after
        elif "trials" in step:
            current = status_of(experiment, step["trials"], current)
        said.append({**_seen(experiment, current), "restarted": after is not None})
        recorded.append({**_recorded_status(result), "restarted": result["restarted"]})
    return {"steps": said}, {"steps": recorded}


_MAX = "maxTrialCount"


def _seen(experiment: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    conditions = [
        {key: value for key, value in each.items() if key not in ("lastUpdateTime", "lastTransitionTime")}
        for each in current["conditions"]
    ]
    return {
        "status": {**current, "conditions": conditions},
        "completed": is_completed(current),
        "restartable": is_restartable(experiment["spec"], current),
        "completion_time_set": current["completionTime"] is not None,
    }


def custom_object(case: Case) -> tuple[Facts, Facts]:
    """Compares whether the API server stores a custom object, whether kubectl applies it, and the dropped fields."""
    verdict = judge_object(first(case["yaml"]), first(case["old"]) if "old" in case else None)
    said = {"ok": verdict.stored, "strict_ok": verdict.applied, "pruned": sorted(map(field_text, verdict.pruned))}
    return said, {"ok": case["ok"], "strict_ok": case["strict_ok"], "pruned": sorted(case["pruned"])}


def _recorded_status(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("status", "completed", "restartable", "completion_time_set")}


def argo(case: Case) -> tuple[Facts, Facts]:
    """Compares Argo's linter with the tests' reimplementation of it."""
    return {"ok": lint(case.get("yaml", "")) is None}, {"ok": case["ok"]}


PARTS: dict[str, Part] = {
    "admission 0.19": Part("admission", lambda case: admission(case, "0.19")),
    "admission 0.18": Part("admission", lambda case: admission(case, "0.18")),
    "scalars": Part("scalars", scalars),
    "engines, static": Part("engines", engines, goal=0.99),
    "medianstop": Part("medianstop", medianstop),
    "collector": Part("collector", collector),
    "aggregate": Part("aggregate", aggregate),
    "stopping": Part("stopping", stopping),
    "wrapper": Part("wrapper", wrapper),
    "wrapper, lint on its run": Part("wrapper", command_verdict, goal=None),
    "substitution": Part("substitution", substitution),
    "status": Part("status", status),
    "crd-trainer": Part("crd-trainer", custom_object),
    "crd-argo": Part("crd-argo", custom_object),
    "crd-other": Part("crd-other", custom_object),
    "argo": Part("argo", argo),
}


class Agreement(NamedTuple):
    """How far kftune and the recorded cases agree."""

    compared: int
    disagreements: list[Disagreement]

    @property
    def share(self) -> float:
        """The share of cases that agree, from 0 to 1."""
        return 1 - len(self.disagreements) / self.compared if self.compared else 1.0


def agreement(part: Part) -> Agreement:
    """Compares all cases of a part."""
    assert part.compare is not None
    compared = 0
    wrong = []
    for number, case in enumerate(cases(part.file)):
        pair = _compared(part.compare, case)
        if pair is not None:
            compared += 1
            said, recorded = pair
            if said != recorded:
                wrong.append(Disagreement(case.get("id", f"{part.file}-{number}"), said, recorded))
    return Agreement(compared, wrong)


def _compared(compare: Callable[[Case], tuple[Facts, Facts] | None], case: Case) -> tuple[Facts, Facts] | None:
    try:
        return compare(case)
    except Exception as error:  # a crash counts as a disagreement
        return {"crash": repr(error)}, {"crash": None}


def main(arguments: list[str]) -> int:
    """Prints the table. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"parts to compare, from {', '.join(PARTS)}; default: all"
    )
    parser.add_argument("--show", action="store_true", help="also print each disagreement")
    parser.add_argument("--corpus", type=Path, help="another folder with corpus files, compressed or not")
    options = parser.parse_args(arguments)
    if options.corpus:
        read_from(options.corpus)
    unknown = sorted({*options.names} - {*PARTS})
    if unknown:
        parser.error(f"unknown part {unknown[0]!r}; the parts are {', '.join(map(repr, PARTS))}")
    print(f"{'part':26}{'cases':>7}{'agree':>7}{'share':>10}{'goal':>8}")
    below = [name for name in options.names or PARTS if _is_below_goal(name, options.show)]
    return 1 if below else 0


def _is_below_goal(name: str, show: bool) -> bool:
    part = PARTS[name]
    if not cases(part.file):
        print(f"{name:26}      -      -         -  no such file")
        return False
    if part.compare is None:
        print(f"{name:26}{len(cases(part.file)):7}      -         -  not compared")
        return False
    found = agreement(part)
    goal = f"{part.goal:.0%}" if part.goal is not None else "-"
    agreed = found.compared - len(found.disagreements)
    below = part.goal is not None and found.share < part.goal
    print(f"{name:26}{found.compared:7}{agreed:7}{found.share:10.2%}{goal:>8}{'  BELOW' if below else ''}")
    for wrong in found.disagreements if show else ():
        print(f"    {wrong.case}\n        said     {_shown(wrong.said)}\n        recorded {_shown(wrong.recorded)}")
    return below


def _shown(facts: Facts) -> str:
    return yaml_text.dump(json.loads(json.dumps(facts, default=repr))).replace("\n", "\n                 ").rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
