"""Near names: which known names an unknown one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable

_BETWEEN = str.maketrans("", "", "-_. ")
_LEAST = 0.6
_LONGEST = 200
"""Characters of a name that may be near others."""
_CLOSE = 0.1
"""A name counts if its score is that close to the best one, unless that is sure."""
_SURE = 0.98
_OF_A_PART = 0.16
"""What it costs that only the last part of a name is near."""

# What other tools and people say, as `_plain` writes it -> what kftune says, if it is known at that place.
_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    # algorithms
    **dict.fromkeys(("bo", "gp", "gaussianprocess", "skopt"), ("bayesianoptimization",)),
    **dict.fromkeys(("optuna", "hyperopt", "parzen"), ("tpe",)),
    **dict.fromkeys(("asha", "sha", "successivehalving", "bohb"), ("hyperband",)),
    **dict.fromkeys(("evolution", "evolutionary", "evolutionstrategy"), ("cmaes",)),
    **dict.fromkeys(("qmc", "halton", "quasirandom"), ("sobol",)),
    "populationbasedtraining": ("pbt",),
    # directions and reductions
    **dict.fromkeys(("lower", "lowest", "decrease", "ascending"), ("minimize", "min", "low")),
    **dict.fromkeys(("higher", "highest", "increase", "descending"), ("maximize", "max", "high")),
    **dict.fromkeys(("last", "final"), ("latest",)),
    "best": ("min", "max"),
    **dict.fromkeys(("min", "minimum", "lowerbound", "start", "from"), ("minimize", "min", "low")),
    **dict.fromkeys(("max", "maximum", "upper", "upperbound", "stop", "end", "to"), ("maximize", "max", "high")),
    # domains
    **dict.fromkeys(("categorical", "options", "values", "enum", "list"), ("choice", "Choice")),
    "gaussian": ("normal", "Normal"),
    **dict.fromkeys(("float", "double", "real", "number", "continuous"), ("uniform", "Uniform", "float")),
    **dict.fromkeys(("randint", "integer", "range", "intuniform", "int"), ("int", "IntUniform")),
    **dict.fromkeys(("log", "logarithmic"), ("loguniform", "LogUniform")),
    # keys of files
    **dict.fromkeys(
        ("trials", "ntrials", "numtrials", "maxtrialcount", "numsamples", "iterations", "niter", "maxevals", "evals"),
        ("max_trials", "maxTrialCount"),
    ),
    **dict.fromkeys(("maxjobs", "maxtotaljobs", "maxtotaltrials"), ("max_trials", "maxTrialCount")),
    **dict.fromkeys(("maxparalleljobs", "maxconcurrenttrials"), ("parallel", "parallelTrialCount")),
    **dict.fromkeys(
        ("parallel", "paralleltrials", "paralleltrialcount", "jobs", "njobs", "workers", "numworkers", "concurrency"),
        ("parallel", "parallelTrialCount"),
    ),
    **dict.fromkeys(("maxfailures", "maxfailed", "maxfailedtrialcount"), ("max_failed", "maxFailedTrialCount")),
    "timeout": ("trial_timeout", "wall_clock"),
    **dict.fromkeys(("randomseed", "randomstate"), ("seed",)),
    **dict.fromkeys(("mode", "goaltype", "type", "objectivetype"), ("direction",)),
    **dict.fromkeys(("metricname", "objectivemetric", "objectivemetricname", "primarymetric"), ("metric",)),
    "metricdefinitions": ("metrics",),
    **dict.fromkeys(("earlytermination", "earlystopping", "pruner"), ("stopping",)),
    **dict.fromkeys(
        ("algo", "algorithm", "sampler", "samplingalgorithm", "method", "strategy"), ("algorithm.name", "algorithm")
    ),
    **dict.fromkeys(("hyperparameters", "params"), ("hparams", "values")),
    **dict.fromkeys(("searchspace", "space", "hyperparameterranges"), ("search",)),
    **dict.fromkeys(("entrypoint", "cmd"), ("command",)),
    **dict.fromkeys(("script", "run", "program"), ("command", "container")),
    "gpus": ("gpu",),
    **dict.fromkeys(("cpus", "cores"), ("cpu",)),
    **dict.fromkeys(("ram", "mem"), ("memory",)),
    **dict.fromkeys(("environment", "envs", "variables"), ("env",)),
    "cron": ("schedule",),
    **dict.fromkeys(("out", "outputdir", "outdir", "resultsdir", "runsdir"), ("dir",)),
    **dict.fromkeys(("updateconfig", "writeback", "applyto"), ("apply",)),
    **dict.fromkeys(("dependson", "depends", "dependencies", "needs", "requires"), ("after",)),
    **dict.fromkeys(("if", "condition"), ("when",)),
    **dict.fromkeys(("loop", "withitems", "parallelfor", "matrix"), ("for_each",)),
    **dict.fromkeys(("pvc", "persistentvolumeclaim"), ("claim",)),
    "class": ("hparams",),
    # kinds, targets and choices
    **dict.fromkeys(("kubeflow", "kubeflowpipelines"), ("kfp", "katib")),
    **dict.fromkeys(("docker", "podman", "pod"), ("container",)),
    **dict.fromkeys(("local", "subprocess", "python"), ("process",)),
    **dict.fromkeys(("table", "plain", "txt"), ("text",)),
    **dict.fromkeys(("preprocess", "dataset", "download", "prepare"), ("data",)),
    **dict.fromkeys(("hpo", "hyperparametersearch", "study"), ("tune",)),
    **dict.fromkeys(("fit", "model"), ("train", "hparams")),
    **dict.fromkeys(("test", "validate"), ("evaluate",)),
    **dict.fromkeys(("publish", "deploy", "push"), ("register",)),
    "error": ("fails",),
    "warning": ("wrong",),
    "ls": ("list",),
    **dict.fromkeys(("array", "tuple"), ("list",)),
    **dict.fromkeys(("object", "mapping", "json"), ("dict",)),
    **dict.fromkeys(("file", "path", "folder", "directory"), ("artifact",)),
    # hyperparameters
    "lr": ("learning_rate",),
    "learningrate": ("lr",),
    "bs": ("batch_size",),
    "batchsize": ("bs",),
    "wd": ("weight_decay",),
    "weightdecay": ("wd",),
}


def meant(name: str, known: Iterable[str], *, keys: bool = False) -> list[str]:
    """Returns the known names that are near an unknown one, at most three, the nearest first.

    Args:
        name: The unknown name.
        known: The valid names.
        keys: Whether they are keys of a file, ``budget.max_trials``, of which people write the last part alone.
    """
    wanted = _plain(name) if len(name) <= _LONGEST else ""
    scores = {each: _score(name, each, keys) for each in sorted(set(known))} if wanted else {}
    best = max(scores.values(), default=0.0)
    least = max(_LEAST, best - (0 if best >= _SURE else _CLOSE))
    return sorted((each for each in scores if scores[each] >= least), key=lambda each: -scores[each])[:3]


def _score(name: str, known: str, keys: bool) -> float:
    """Returns how near a known name is: 1 is the same, 0 has nothing in common."""
    wanted = _plain(name)
    # parameters.circuit.default is the parameter circuit.
    last = known.removesuffix(".default").rpartition(".")[2] if keys else known
    if wanted == _plain(known):
        return 1.0
    if wanted == _plain(last):
        return 0.99
    if {_plain(known), _plain(last)} & {_plain(word) for word in _OTHER_WORDS.get(wanted, ())}:
        return _SURE
    if last == known or "." in name:
        return _likeness(wanted, _plain(known))
    return _likeness(wanted, _plain(last)) - _OF_A_PART


def _likeness(one: str, other: str) -> float:
    from difflib import SequenceMatcher  # noqa: PLC0415 - only a mistake needs it

    starts = min(len(one), len(other)) > 2 and (one.startswith(other) or other.startswith(one))
    return max(SequenceMatcher(None, one, other).ratio(), 0.85 if starts else 0.0)


def _plain(name: str) -> str:
    """Returns a name in lower case, without what stands between its words."""
    return name.casefold().translate(_BETWEEN)
