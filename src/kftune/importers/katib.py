"""Katib: any Experiment becomes a study.

Source: katib v0.19.0, pkg/apis/controller/experiments/v1beta1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.domains import Domain
from kftune.errors import ForeignFileError, KftuneError, suggestion
from kftune.importers.document import text_of
from kftune.importers.draft import Draft
from kftune.importers.flow import flow
from kftune.importers.imported import Imported, Options
from kftune.importers.katib_trial import take_template
from kftune.importers.names import metric_name
from kftune.importers.node import Node, Source, number_of
from kftune.importers.spaces import Space, choice
from kftune.katib.engines import ALGORITHMS, engine_of
from kftune.katib.engines.declared import parameters_of
from kftune.katib.engines.settings import SEED
from kftune.lint.sources import Document, SourceText, documents
from kftune.spec.kind import kind_of

_REASONS = {
    "nasConfig": "a study searches no network architectures",
    "trialTemplate": "",
}


def read(path: Path, options: Options) -> Imported:
    """Returns the study of an Experiment.

    Args:
        path: YAML or JSON with an Experiment; `pick` of the options chooses one of several.
        options: What the user decides.

    Raises:
        ForeignFileError: There is no Experiment, or it is invalid.
        OSError: The file cannot be read.
    """
    text = text_of(path)
    document = _one(path, text, options)
    source = Source(str(path), "" if document.prefix else document.piece.text, document.piece.line)
    node = Node(source, document.value)
    metadata = node.get("metadata")
    name = None if metadata is None else metadata.first("name", "generateName")
    draft = Draft("experiment" if name is None else str(name.value).rstrip("-"), options)
    if name is not None:
        draft.exact(name, f"name: {draft.name}")
    if metadata is not None:
        draft.carry(metadata.get("namespace"), "targets", "katib", "namespace")
        metadata.ignore(
            [
                "name",
                "generateName",
                "creationTimestamp",
                "uid",
                "resourceVersion",
                "generation",
                "managedFields",
                "finalizers",
            ]
        )
        draft.leave(metadata, {"labels": "write targets.katib.labels", "annotations": "left out"})
    spec = node.need("spec", "an Experiment")
    _parameters(draft, spec)
    _objective(draft, spec)
    _algorithm(draft, spec.get("algorithm"))
    draft.carry(spec.get("maxTrialCount"), "budget", "max_trials")
    draft.carry(spec.get("parallelTrialCount"), "budget", "parallel")
    draft.carry(spec.get("maxFailedTrialCount"), "budget", "max_failed")
    draft.carry(spec.get("resumePolicy"), "targets", "katib", "resume_policy")
    _early_stopping(draft, spec.get("earlyStopping"))
    _collector(draft, spec.get("metricsCollectorSpec"))
    template = spec.get("trialTemplate")
    if template is not None:
        take_template(draft, template)
    draft.leave(spec, _REASONS)
    return draft.finish()


def _one(path: Path, text: str, options: Options) -> Document:
    found = [each for each in documents(SourceText(str(path), text, named=True)) if each.error is None]
    experiments = [each for each in found if kind_of(each.value).name == "Experiment"]
    names = [_name(each.value) for each in experiments]
    if not experiments:
        raise ForeignFileError("this has no Experiment of kubeflow.org/v1beta1", str(path))
    if options.pick and options.pick not in names:
        raise ForeignFileError(f"there is no Experiment {options.pick!r}; {suggestion(options.pick, names)}", str(path))
    if len(experiments) > 1 and not options.pick:
        raise ForeignFileError(f"there are several Experiments; choose one with --pick: {', '.join(names)}", str(path))
    return experiments[names.index(options.pick)] if options.pick else experiments[0]


def _name(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""


# -- the search --------------------------------------------------------------------------------------------------------


def _parameters(draft: Draft, spec: Node) -> None:
    template = spec.mapping().get("trialTemplate") or {}
    given = spec.get("parameters")
    if given is None:
        raise spec.fail("an Experiment needs parameters to become a study; nasConfig is for Katib only")
    for each in given.each():
        each.need("name", "a parameter").text()
        each.need("feasibleSpace", "a parameter").mapping()
        raw = {"parameters": [_texts(each.mapping())], "trialTemplate": template}
        try:
            [parameter], notes = parameters_of(raw)
        except (KftuneError, KeyError, AttributeError, TypeError) as error:
            raise each.fail(f"it cannot be read: {error}") from error
        draft.search(parameter.name, each, _space(parameter.domain, str(each.mapping().get("parameterType", ""))))
        for note in notes:
            draft.converted(each, note)


def _texts(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a parameter with texts in place of numbers, as Katib has them."""
    space = {key: _text(inner) for key, inner in (parameter.get("feasibleSpace") or {}).items()}
    return {**parameter, "feasibleSpace": space}


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(each) for each in value]
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _space(domain: Domain, kind: str) -> Space:
    spec = domain.to_spec()
    if kind in ("categorical", "discrete"):
        made = choice([*next(iter(spec.values()))], texts=True)
        name = "discrete" if kind == "discrete" and made.annotation in ("int", "float") else "choice"
        return made._replace(spec={name: made.spec["choice"]}, converted="")
    points = (domain.quantile(0), domain.quantile(1))
    whole = kind == "int" or (domain.size < float("inf") and all(isinstance(each, int) for each in points))
    return Space(spec, "int" if whole else "float")


def _objective(draft: Draft, spec: Node) -> None:
    objective = spec.get("objective")
    if objective is None:
        return
    metric = objective.need("objectiveMetricName", "an objective")
    direction = objective.need("type", "an objective").one_of(("minimize", "maximize"))
    draft.objective(metric, metric.text(), direction)
    draft.carry(objective.get("goal"), "objective", "goal")
    more = objective.get("additionalMetricNames")
    strategies = objective.get("metricStrategies")
    how = {}
    for each in strategies.each() if strategies is not None else ():
        how[each.need("name").text()] = each.need("value").one_of(("min", "max", "latest"))
    default = "min" if direction == "minimize" else "max"
    own = how.get(metric.text(), default)
    if own != default:
        draft.put("objective", "reduce", value=own)
    if more is not None and more.value:
        # Katib reduces each metric as the objective, if nothing is said about it.
        names = {str(name): metric_name(str(name)) for name in more.values()}
        metrics = [{"name": new, "reduce": how.get(name, default)} for name, new in names.items()]
        draft.carry(more, "metrics", value=metrics)
        for name, new in names.items():
            if name != new:
                draft.lost(more, f"a metric line cannot carry the name {name!r}: report it as {new}")


def _algorithm(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    name = node.need("algorithmName", "an algorithm")
    if name.text() not in ALGORITHMS:
        draft.lost(name, f"a study has no algorithm {name.text()!r}; the study uses its default, multivariate-tpe")
        return
    if name.text() == "grid":
        draft.grid(name)
    else:
        draft.carry(name, "algorithm", "name")
    known = engine_of(name.text()).settings
    settings = node.get("algorithmSettings")
    for each in settings.each() if settings is not None else ():
        key, value = each.need("name").text(), number_of(each.need("value").value)
        value = each.mapping()["value"] if value is None else value
        if key == SEED:
            draft.carry(each, "algorithm", "seed", value=value)
        elif key in known:
            draft.carry(each, "algorithm", "settings", key, value=value)
        else:
            draft.lost(each, f"{name.text()} has no setting {key!r}")
    if name.text() == "hyperband":
        _resource(draft, name)


def _resource(draft: Draft, node: Node) -> None:
    """Gives the resource of hyperband its range: Katib sets it, up to r_l, also where its parameter has one value."""
    settings, search = draft.study["algorithm"].get("settings", {}), draft.study["search"]
    name, most = settings.get("resource_name"), settings.get("r_l")
    low, high = search.get(name, {}).get("int", (0, 1))
    if low == high and isinstance(most, int | float) and most > high:
        search[name] = {"int": [low, int(most)]}
        draft.converted(
            node, f"{name}: {flow(search[name])}, because hyperband sets it up to r_l, whatever range it has"
        )


def _early_stopping(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    name = node.need("algorithmName", "early stopping")
    keys = {"min_trials_required": "min_trials", "start_step": "start_step"}
    settings = node.get("algorithmSettings")
    if name.text() != "medianstop":
        draft.lost(name, f"{name.text()}: docs/guides/stopping.md has the rules")
        return
    rule = {}
    for each in settings.each() if settings is not None else ():
        key = each.need("name").text()
        if key in keys:
            rule[keys[key]] = each.need("value").integer()
    draft.carry(node, "stopping", "median", value=rule)


def _collector(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    collector = node.get("collector")
    kind = "StdOut" if collector is None else str(collector.mapping().get("kind", "StdOut"))
    if kind not in ("StdOut", "File"):
        draft.lost(node, f"the collector {kind}: a study reads what trials print: kftune.report, or objective.regex")
        return
    source = node.get("source")
    patterns = None if source is None else source.mapping().get("filter")
    if patterns:
        draft.lost(
            node, "its filter has a group for the name: a study has one pattern for each metric: objective.regex"
        )
    elif kind == "File":
        draft.lost(node, "the script writes metrics into a file: a study reads what trials print")
    else:
        draft.exact(node, "lines such as loss=0.5 are read")
