"""`run_experiment`: runs a Katib Experiment on this machine."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from kftune._version import __version__
from kftune.earlystopping.names import with_service
from kftune.errors import KatibError, RunError
from kftune.katib.admission import Verdict, admit
from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.engines.declared import parameters_of
from kftune.katib.engines.sampling import engine_parameters
from kftune.katib.trial.quoting import as_meant
from kftune.katib.trial.substitution import config_map_text, run_object
from kftune.katib.trial.wrapper import metrics_path, wrap
from kftune.local.experiment.algorithm import algorithm_of
from kftune.local.experiment.collecting import Readers
from kftune.local.experiment.metrics import Metrics, metrics_of
from kftune.local.experiment.parameters import ParameterSpace
from kftune.local.experiment.push import MetricsServer
from kftune.local.experiment.template import Options, Template
from kftune.local.experiment.trials import ExperimentTrials
from kftune.local.processes.interrupts import Interrupts
from kftune.local.samplers import Sampler, make_sampler
from kftune.local.study.alone import StudyAlone
from kftune.local.study.changes import changes
from kftune.local.study.events import OnEvent, now
from kftune.local.study.log_notes import noting_metrics
from kftune.local.study.plan import StudyPlan
from kftune.local.study.progress import Outcome
from kftune.local.study.retries import retry_note, unfinished
from kftune.metrics.cut_numbers import CutNumber
from kftune.metrics.cut_rows import FILTER_REMEDY, cut_rows, filter_notes
from kftune.metrics.near_lines import NearLine
from kftune.metrics.near_rows import near_rows
from kftune.results import Meta, RunFolder, TrackedMetric, slug
from kftune.results.store import Store
from kftune.study import Algorithm
from kftune.study.retries import RetryLimits


def run_experiment(
    experiment: Mapping[str, Any],
    folder: str | Path,
    *,
    place: str | Path | None = None,
    cluster: Cluster | None = None,
    version: KatibVersion = "0.19",
    options: Options = Options(),  # noqa: B008  # it is immutable
    seed: int | None = None,
    as_katib: bool = False,
    on_event: OnEvent | None = None,
    notes: Sequence[str] = (),
    strict: bool = False,
    fresh: bool = False,
    retry_failed: bool = False,
) -> Outcome:
    """Runs an Experiment here until its budget is used up, its goal is reached, or it is interrupted.

    It searches the space as declared: a local run does not leave it, even where Katib's engine is known to. Existing
    results in the folder are resumed, as with a study.

    Args:
        experiment: The Experiment, as `kftune.katib.go.reading.read` returns it.
        folder: Where results go.
        place: The Experiment's file: trials run in its folder. None takes the current folder.
        cluster: The cluster's objects: the ConfigMap of the template, and ConfigMaps that variables come from.
        version: Katib's version.
        options: How trials run.
        seed: The seed to use in place of the setting random_state; None takes that setting.
        as_katib: Choose values as Katib's engines do, with their known faults.
        on_event: Called with each event.
        notes: Notes to emit at the start, before the run's own.
        strict: Refuse an Experiment that a note would be emitted for.
        fresh: Move earlier results aside, and start over.
        retry_failed: Run trials of earlier runs again that failed or reported no objective, with the same values.

    Raises:
        RunError: Katib refuses the Experiment, or it cannot run here.
        StoreError: Another run writes to the folder, or it holds the results of another Experiment.
        MissingExtraError: A package that it needs is not installed.
        ContainerError: Trials run in containers, and no container engine answers.
    """
    cluster = cluster or Cluster()
    verdict, spec = _admitted(experiment, cluster, version)
    algorithm, about_algorithm = algorithm_of(spec, seed)
    parameters, about_parameters = parameters_of(spec)
    declared = ParameterSpace(parameters)
    space = ParameterSpace(engine_parameters(spec, algorithm.name)) if as_katib else declared
    metrics, parallel = metrics_of(spec), int(spec["parallelTrialCount"])
    path = Path(folder).resolve()
    sample = space.assignment({name: domain.quantile(0.5) for name, domain in space.space.items()})
    with ExitStack() as stack:
        server = stack.enter_context(_server()) if metrics.kind == "Push" else None
        template = _template(
            verdict,
            cluster=cluster,
            metrics=metrics,
            place=place,
            push_address="" if server is None else server.address,
            checkpoints=str(algorithm.settings.get("suggestion_trial_dir", "")).rstrip("/"),
            strict_wrapper=options.strict_wrapper,
        )
        trials = ExperimentTrials(template, sample, parallel, RunFolder(path), options)
        drawn = random.SystemRandom().getrandbits(32) if algorithm.seed is None else algorithm.seed
        meta = _meta(verdict, declared, metrics, algorithm, drawn, as_katib=as_katib)
        store = stack.enter_context(Store(path, meta, keep_seed=algorithm.seed is None, fresh=fresh))
        earlier = store.trials()
        trials.remove_leftovers(earlier)
        readers = Readers(
            metrics, spec.get("earlyStopping"), store.folder, server, as_katib=as_katib, wrapped=options.strict_wrapper
        )
        readers.recall(earlier)
        known = unfinished(earlier, failed_too=retry_failed)
        sampler = make_sampler(
            space,
            algorithm,
            metrics.direction,
            store.meta.run_seed,
            parallel=trials.parallel,
            trials=known,
            as_katib=as_katib,
        )
        trials.parent_of = _parents(sampler, store)
        about_filters = [f"{note}; {FILTER_REMEDY}" for _, note in filter_notes(metrics.filters)]
        trials.notes[:0] = [*notes, *store.notes, *about_algorithm, *about_parameters, *about_filters]
        if strict and (trials.notes or sampler.notes):
            raise RunError("\n".join([*trials.notes, *sampler.notes]))
        trials.notes += changes(trials.code, trials.revision, known)
        if retry_failed:
            trials.notes.append(retry_note(earlier))
        plan = _plan(spec, store.meta, readers, trials)
        emit = None if on_event is None else _noting(metrics, readers, on_event)
        interrupts = Interrupts()
        return StudyAlone(plan, store, sampler, trials, interrupts, emit=emit, retry_failed=retry_failed).run()


def _noting(metrics: Metrics, readers: Readers, emit: OnEvent) -> OnEvent:
    """Returns `emit`, with notes about what trials did."""
    if metrics.kind not in ("StdOut", "File"):
        return emit

    def near(name: str, lines: Iterable[bytes]) -> Iterator[NearLine]:
        return near_rows(name, lines, metrics.filters, metrics.format)

    def cuts(lines: Iterable[bytes]) -> Iterable[CutNumber]:
        return () if metrics.format == "JSON" else cut_rows(lines, metrics.names, metrics.filters)

    return noting_metrics(readers.log, metrics.names[1:], near, cuts, emit)


def _parents(sampler: Sampler, store: Store) -> Callable[[str], str | None]:
    """Makes the function that names the trial whose checkpoints another one resumes."""

    def parent_of(trial: str) -> str | None:
        parent = sampler.parent_of(int(trial.rpartition("-")[2]))
        return None if parent is None else store.name(parent)

    return parent_of


def _admitted(experiment: Mapping[str, Any], cluster: Cluster, version: KatibVersion) -> tuple[Verdict, dict[str, Any]]:
    verdict = admit(experiment, cluster=with_service(cluster, experiment), version=version)
    if verdict.admitted and verdict.spec is not None:
        return verdict, verdict.spec
    lines = [f"{reason.field}: {reason.detail}" for reason in verdict.reasons] or [verdict.message]
    raise RunError("\n".join(["Katib refuses this Experiment:", *(f"  {line}" for line in lines)]))


@contextmanager
def _server() -> Iterator[MetricsServer]:
    server = MetricsServer()
    try:
        yield server
    finally:
        server.close()


def _plan(spec: Mapping[str, Any], meta: Meta, readers: Readers, trials: ExperimentTrials) -> StudyPlan:
    return StudyPlan(
        meta=meta,
        max_failed=spec.get("maxFailedTrialCount"),
        reader=readers.make,
        grace=trials.grace,
        retries=RetryLimits(lost=trials.lost_retries),
        limit_name="activeDeadlineSeconds",
        failed_hint="maxFailedTrialCount",
    )


def _template(
    verdict: Verdict,
    *,
    cluster: Cluster,
    metrics: Metrics,
    place: str | Path | None,
    push_address: str,
    checkpoints: str,
    strict_wrapper: bool,
) -> Template:
    spec: dict[str, Any] = verdict.spec or {}
    namespace = verdict.metadata.get("namespace") or "default"
    given = {"metadata": dict(verdict.metadata), "spec": spec}
    try:
        text = config_map_text(given, cluster.config_maps)
    except KatibError as error:
        raise RunError(f"the trial template must be in the input, like the Experiment: {error}") from error

    def make(trial: str, assignment: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            return run_object(given, list(assignment.items()), name=trial, namespace=namespace, config_map=text)
        except KatibError as error:
            raise ValueError(str(error)) from error

    def started(command: Sequence[str], args: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        if not strict_wrapper:
            return as_meant(command, args, spec["metricsCollectorSpec"])
        try:
            found = wrap(command, args, spec["metricsCollectorSpec"], early_stopping="earlyStopping" in spec)
        except KatibError as error:
            raise RunError(f"Katib's webhook refuses the pod of every trial: {error}") from error
        return found.command, found.args

    path = metrics_path(spec["metricsCollectorSpec"]) if strict_wrapper else metrics.path
    return Template(
        run_object=make,
        primary=spec["trialTemplate"]["primaryContainerName"],
        labels=spec["trialTemplate"].get("primaryPodLabels") or {},
        started=started,
        metrics_folder=path.rstrip("/") if metrics.is_folder else path.rpartition("/")[0],
        namespace=namespace,
        config_maps={name: data for (owner, name), data in cluster.config_maps.items() if owner == namespace},
        folder=Path.cwd() if place is None else Path(place).resolve().parent,
        push_address=push_address,
        checkpoints=checkpoints,
    )


def _meta(
    verdict: Verdict, space: ParameterSpace, metrics: Metrics, algorithm: Algorithm, seed: int, *, as_katib: bool
) -> Meta:
    spec: dict[str, Any] = verdict.spec or {}
    name = str(verdict.metadata.get("name"))
    most = spec.get("maxTrialCount")
    if most is None:
        raise RunError("an Experiment without maxTrialCount never ends here; give it one: maxTrialCount=20")
    domains = {parameter: domain.to_spec() for parameter, domain in space.space.items()}
    objective = {"metric": metrics.objective, "direction": metrics.direction}
    compared = {
        "fixed": {},
        "space": domains,
        "objective": {**objective, "strategies": dict(metrics.strategies)},
        "collector": {"spec": spec["metricsCollectorSpec"]},
        "template": spec["trialTemplate"],
        "engine": "as Katib" if as_katib else "as declared",
    }
    return Meta(
        name=name,
        slug=slug(name),
        direction=metrics.direction,
        metrics=tuple(TrackedMetric(each, metrics.strategies.get(each, "latest")) for each in metrics.names),
        goal=spec["objective"].get("goal"),
        algorithm=algorithm.name,
        settings=dict(algorithm.settings),
        seed=seed,
        max_trials=most,
        parallel=int(spec["parallelTrialCount"]),
        fixed={},
        space=domains,
        identity=hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest(),
        compared=compared,
        created=now(),
        version=__version__,
        experiment={
            "apiVersion": "kubeflow.org/v1beta1",
            "kind": "Experiment",
            "metadata": dict(verdict.metadata),
            "spec": spec,
        },
    )
