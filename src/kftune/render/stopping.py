"""Renders the stopping rules of a study as Katib's early stopping.

Katib has one algorithm of early stopping for an Experiment, which sees trials and not the study.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.earlystopping.names import KINDS
from kftune.earlystopping.settings import settings_of
from kftune.render.rendering import EarlyStopping
from kftune.stopping import Rule, TrialRule
from kftune.stopping.rules import key_of
from kftune.study import Study

_MEDIAN = "median"


def early_stopping(study: Study, names: Mapping[str, str]) -> EarlyStopping:
    """Returns what Katib can apply of a study's rules: the first one that it can, and notes about the others.

    Args:
        study: The study; it has rules.
        names: Name of a metric in the study -> in Katib.
    """
    chosen = next((rule for rule in study.stopping if isinstance(rule, TrialRule) and _is_applied(rule)), None)
    left_out = [_left_out(rule, chosen) for rule in study.stopping if rule is not chosen]
    if chosen is None:
        return EarlyStopping(None, left_out)
    watched = getattr(chosen, "metric", None)
    if watched is not None:
        chosen = chosen.model_copy(update={"metric": names.get(watched, watched)})
    return EarlyStopping(_spec(chosen), [*_about(study, chosen), *left_out])


def _is_applied(rule: TrialRule) -> bool:
    return key_of(rule) in KINDS and not getattr(rule, "exclude_finished", False)


def _spec(rule: TrialRule) -> dict[str, Any]:
    if rule.kind != _MEDIAN:
        return settings_of(rule)
    values = rule.model_dump()
    settings = {"min_trials_required": values["min_trials"], "start_step": values["start_step"]}
    return {
        "algorithmName": "medianstop",
        "algorithmSettings": [{"name": name, "value": str(value)} for name, value in settings.items()],
    }


def _left_out(rule: Rule, chosen: TrialRule | None) -> str:
    name = f"stopping.{key_of(rule)}"
    if not isinstance(rule, TrialRule):
        goal = "; objective.goal ends an Experiment" if name == "stopping.target" else ""
        return f"Katib has no rules that end a study: {name} applies to local runs only{goal}"
    if chosen is not None and _is_applied(rule):
        return f"Katib applies one rule to trials, which is stopping.{chosen.kind}: {name} applies to local runs only"
    if key_of(rule) in KINDS:
        return (
            f"Katib's service knows nothing of running trials: {name} with exclude_finished applies to local runs only"
        )
    fixed = "Katib fixes what stops a trial when it creates it"
    return f"{fixed}: {name}, which judges each report, applies to local runs only"


def _about(study: Study, rule: TrialRule) -> Iterator[str]:
    if rule.kind == _MEDIAN:
        yield (
            "Katib's medianstop fixes its limit when it creates a trial: trials that start together have the same, and "
            "those before min_trials have none"
        )
    else:
        yield (
            f"stopping.{rule.kind} needs kftune's early stopping service on the cluster: kftune render --with-service "
            f"writes what its administrator applies"
        )
        yield _when(rule)
    if not study.targets.katib.retain:
        yield "the pods of trials stay until the Experiment is deleted (retain): Katib needs those that it has stopped"
    if not rule.counts:
        yield f"Katib counts what a stopped trial has reported: one that stopping.{rule.kind} stops can be the best"
    if _tests_best_of_objective(study, rule):
        yield (
            f"Katib compares the best value so far of the objective: stopping.{rule.kind} stops trials that are on the "
            f"wrong side from their first report on, and none that get there later"
        )
    if _starts_shell(study):
        yield (
            "the step runs a shell, which gets SIGTERM when the trial is stopped: write exec before its last command, "
            "so that the training gets it too"
        )


def _when(rule: TrialRule) -> str:
    if rule.kind != "threshold":
        return (
            f"Katib fixes what stops a trial when it creates it: stopping.{rule.kind} is applied to one report of each "
            f"trial, with a limit from the trials that have ended by then"
        )
    reports = "each report"
    if (delay := getattr(rule, "delay", 0)) > 1:
        reports = f"report {delay} of each trial only"
    both = getattr(rule, "above", None) is not None and getattr(rule, "below", None) is not None
    left_out = "; Katib takes one limit, so the other one applies to local runs only" if both else ""
    return f"Katib applies stopping.threshold to {reports}{left_out}"


def _tests_best_of_objective(study: Study, rule: TrialRule) -> bool:
    """Whether a fixed limit is on the worse side of the objective."""
    if rule.kind != "threshold" or rule.watches not in (None, study.objective.metric):
        return False
    worse = "above" if study.objective.direction == "minimize" else "below"
    return getattr(rule, worse) is not None


def _starts_shell(study: Study) -> bool:
    tokens = study.step.start
    return tokens[0].rpartition("/")[2] in ("sh", "bash", "dash", "zsh") and any(
        token.startswith("-") and token.endswith("c") for token in tokens[1:2]
    )
