"""Decides what a document or file is: a file of kftune, an object of Katib or Kubernetes, or of another kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from kftune.errors import UsageError, YamlError
from kftune.runs import YAML_SUFFIXES

PROJECT_FILE = "project.yaml"
"""The name of every project file."""

KindName = Literal[
    "study", "pipeline", "project", "experiment list", "Experiment", "Katib object", "Kubernetes object", "other"
]
_NAMES: tuple[KindName, ...] = get_args(KindName)

_API_VERSION = "kubeflow.org/v1beta1"
_KATIB_KINDS = ("Experiment", "Suggestion", "Trial")
# Other projects of Kubeflow have kinds in Katib's group and version.
_OTHER_KINDS = ("Notebook", "PodDefault", "Profile", "ScheduledWorkflow", "Viewer", "Workspace", "WorkspaceKind")
_SPEC_KEYS = {"objective", "algorithm", "parameters", "maxTrialCount", "parallelTrialCount", "maxFailedTrialCount"}
_PROJECTS = {"argoproj.io": "Argo ", "pipelines.kubeflow.org": "KFP "}
RENDERED = {
    *("Argo Workflow", "Argo WorkflowTemplate", "Argo CronWorkflow", "KFP Pipeline", "KFP PipelineVersion", "KFP spec")
}
"""`Kind.object` of what kftune renders a pipeline to."""

STUDY_KEYS = (
    *("name", "description", "hparams", "values", "search", "constraints", "objective", "objectives", "metrics"),
    *("algorithm", "budget", "step", "for_each", "stopping", "points", "start_from", "apply", "targets"),
)
PIPELINE_KEYS = (
    *("name", "description", "parameters", "defaults", "instances", "loops", "steps", "exit", "schedule", "parallel"),
    "on_failure",
    *("timeout", "targets"),
)
PROJECT_KEYS = (
    *("name", "namespace", "targets", "files", "registry", "training_modules", "claims", "config_maps", "overlays"),
)
STEP_KINDS = ("data", "train", "tune", "evaluate", "register", "container")
_COMMON_KEYS = {"name", "description"}
_CLASS_NAME = re.compile(r"\w+|[\w.]+:\w+")
# A mapping with more keys than this holds data.
_MOST_KEYS = 40

_SUFFIXES = {*YAML_SUFFIXES, ".json", ""}
_OTHER_FILES = {
    ".py": "a Python script, not YAML; give the study that runs it",
    ".ipynb": "a notebook, not YAML; give a study",
    ".parquet": "a Parquet file, which kftune only writes; give the JSON of kftune results, or a study",
    ".sh": "a shell script, not YAML; give the study that runs it",
}


class Kind(NamedTuple):
    """What a document is, or was meant to be."""

    name: KindName
    object: str = ""
    """The Kubernetes kind, such as Trial, Argo Workflow or ConfigMap; empty for all but objects."""
    problem: str = ""
    """Why a document that looks like an object of Katib is none; empty for the others, which their loaders check."""

    def __str__(self) -> str:
        """With its article: "a study", "an Experiment", "a ConfigMap"."""
        if self.name == "other":
            return "neither a study (hparams, objective, step) nor a pipeline (steps)"
        words = {"Katib object": f"Katib {self.object}", "Kubernetes object": self.object}.get(self.name, self.name)
        return f"{'an' if words[:1] in 'AEIOe' else 'a'} {words}"


_STUDY, _PIPELINE, _PROJECT, _OTHER = Kind("study"), Kind("pipeline"), Kind("project"), Kind("other")
_LIST = Kind("experiment list")
_EXPERIMENT = Kind("Experiment", "Experiment")


def kind_of(value: object) -> Kind:
    """Returns the kind of a document, decided by its keys; misspelt ones count too.

    Args:
        value: The document as it was read.
    """
    if not isinstance(value, Mapping):
        return _OTHER
    kind, version = value.get("kind"), value.get("apiVersion")
    if kind == "Experiment" and version == _API_VERSION:
        return _EXPERIMENT
    if not (_is_text(kind) and _is_text(version) and "metadata" in value):
        if isinstance(value.get("experiments"), Mapping) and "apiVersion" not in value:
            return _LIST
        has_header = "kind" in value or "apiVersion" in value  # such a document needs more of the keys of a file
        if _is_study(value, has_header):
            return _STUDY
        if _is_pipeline(value, has_header):
            return _PIPELINE
        if not has_header and _is_project(value):
            return _PROJECT
    return _object_kind(value, kind, version)


def objects(value: Any) -> Iterator[Any]:
    """Yields the objects of a document: the items of a Kubernetes List, or the document itself."""
    if isinstance(value, Mapping) and isinstance(value.get("items"), list) and str(value.get("kind")).endswith("List"):
        for item in value["items"]:
            yield from objects(item)
    else:
        yield value


def kind_of_file(path: Path) -> tuple[Kind, Any]:
    """Returns the kind of a file, and the document that decides it.

    An invalid object of Katib has precedence, then a study, pipeline or project, then an Experiment.

    Args:
        path: A YAML or JSON file.

    Raises:
        UsageError: The file is a folder, or its name says that it is not YAML.
        YamlError: The file is not YAML.
        OSError: The file cannot be read.
    """
    check_file_name(path)
    found = [(kind_of(each), each) for value in _documents(path) for each in objects(value)]
    if path.name == PROJECT_FILE and all(kind.name == "other" for kind, _ in found):
        return _PROJECT, found[0][1] if found else None
    return min(found, key=lambda each: (not each[0].problem, _NAMES.index(each[0].name)), default=(_OTHER, None))


def check_file_name(path: Path) -> None:
    """Rejects what cannot be a YAML file. A file that does not exist is left to its reader, which says so.

    Raises:
        UsageError: It is a folder, a script, or has another suffix than .yaml, .yml or .json.
    """
    if path.suffix.lower() not in _SUFFIXES and path.is_file():
        other = f"a {path.suffix} file, not YAML; give a study, pipeline or Experiment"
        raise UsageError(f"{path} is {_OTHER_FILES.get(path.suffix.lower(), other)} (.yaml, .yml or .json)")
    if path.is_dir():
        inside = ", ".join(sorted(file.name for file in path.glob("*.y*ml"))[:4])
        raise UsageError(f"{path} is a folder; give a file in it{inside and f', such as {inside}'}")


def _documents(path: Path) -> list[object]:
    from kftune import yaml_text  # noqa: PLC0415 - who has a document already needs no reader

    content = path.read_bytes()
    is_utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = content.decode("utf-16", "replace") if is_utf16 else content.decode("utf-8", "surrogateescape")
    try:
        return list(yaml_text.load_all(text, file=str(path)))
    except YamlError:
        # kubectl accepts more than kftune does, such as a key that is given twice.
        from kftune.katib.go.reading import NotYamlError, pieces, read  # noqa: PLC0415 - few files need it

        try:
            values = [read(piece.text) for piece in pieces(text)]
        except NotYamlError:
            values = []
        if any(kind_of(each).name in ("Experiment", "Katib object") for value in values for each in objects(value)):
            return values
        raise


def _is_study(value: Mapping[Any, Any], has_header: bool) -> bool:
    found = _near_keys(value, STUDY_KEYS)
    hparams, objective, objectives, step = (found.get(name) for name in ("hparams", "objective", "objectives", "step"))
    aims = [objective, *(objectives if isinstance(objectives, list) else ())]
    fits = (
        isinstance(hparams, str)
        or any(isinstance(aim, Mapping) and not {"metric", "direction"}.isdisjoint(aim) for aim in aims)
        or (isinstance(step, Mapping) and not {"command", "module", "image"}.isdisjoint(step))
    )
    if fits and len({"hparams", "objective", "objectives", "step"} & found.keys()) > 1:
        return True
    if has_header:
        return False
    if isinstance(hparams, str) and _CLASS_NAME.fullmatch(hparams) and len(found) > 1:
        return True
    return len(found.keys() - _COMMON_KEYS) > (2 if fits else 3)


def _is_pipeline(value: Mapping[Any, Any], has_header: bool) -> bool:
    found = _near_keys(value, PIPELINE_KEYS)
    steps = found.get("steps")
    entries = [*steps.values()] if isinstance(steps, Mapping) else []
    if any(isinstance(entry, Mapping) and _is_text(entry.get("kind")) for entry in entries):
        return any(isinstance(entry, Mapping) and entry.get("kind") in STEP_KINDS for entry in entries)
    if has_header:
        return False
    if "steps" in value:
        # Others write lists of steps; with a name, the list may be a mistake.
        named = "name" in value and isinstance(steps, (Mapping, list))
        return named or (bool(entries) and all(isinstance(entry, Mapping) for entry in entries))
    return "name" in value and len(found.keys() - _COMMON_KEYS) > 2


def _is_project(value: Mapping[Any, Any]) -> bool:
    found = _near_keys(value, PROJECT_KEYS)
    return len(found) > (2 if "namespace" in found else 3)


def _near_keys(value: Mapping[Any, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Returns the entries of a document with known or nearly known keys, by the known key."""
    found = {key: value[key] for key in known if key in value}
    if found and len(found) < len(value) <= _MOST_KEYS:
        for key in value:
            near = "" if key in found or not isinstance(key, str) else _near(key, known)
            if near:
                found.setdefault(near, value[key])
    return found


def _object_kind(value: Mapping[Any, Any], kind: object, version: object) -> Kind:
    is_object = _is_text(kind) and _is_text(version)
    if version == _API_VERSION and kind in _KATIB_KINDS:
        return Kind("Katib object", str(kind))
    if version == _API_VERSION and kind in _OTHER_KINDS:
        return Kind("Kubernetes object", str(kind))
    meant = _meant_kind(value, kind, version)
    if meant is not None:
        name: KindName = "Experiment" if meant == "Experiment" else "Katib object"
        return Kind(name, meant, _problem(value, meant, kind, version))
    if is_object:
        return Kind("Kubernetes object", _PROJECTS.get(str(version).partition("/")[0], "") + str(kind))
    # The second document of a pipeline for KFP has what only its platform knows.
    if {"pipelineInfo", "deploymentSpec"} <= value.keys() or {"platforms"} == value.keys():
        return Kind("Kubernetes object", "KFP spec")
    return _OTHER


def _meant_kind(value: Mapping[Any, Any], kind: object, version: object) -> str | None:
    """Returns the kind of Katib that an invalid object was meant to be; None for the objects of others."""
    has_spec = _is_spec(value.get("spec")) or _is_spec(value)
    if version == _API_VERSION:
        return _near(kind, _KATIB_KINDS) or ("Experiment" if has_spec or not _is_text(kind) else str(kind))
    if isinstance(version, str) and version:
        group = version.partition("/")[0]
        could_be = "." not in group or group.endswith("kubeflow.org") or bool(_near(group, ("kubeflow.org",)))
        near = _near(kind, _KATIB_KINDS) if could_be or has_spec else ""
    else:
        near = _near(kind, _KATIB_KINDS) if has_spec or kind in _KATIB_KINDS else ""
    if near:
        return near
    return "Experiment" if has_spec and not (_is_text(kind) and _is_text(version)) else None


def _is_spec(spec: object) -> bool:
    """Returns whether a mapping has the keys of an Experiment's spec."""
    return isinstance(spec, Mapping) and ("trialTemplate" in spec or len(_SPEC_KEYS & spec.keys()) > 2)


def _problem(value: Mapping[Any, Any], meant: str, kind: object, version: object) -> str:
    wrong = []
    for key, given, right in (("apiVersion", version, _API_VERSION), ("kind", kind, meant)):
        near = next((other for other in value if key not in value and _near(other, (key,))), None)
        if near is not None:
            wrong.append(f"the key {near!r} is unknown; did you mean {key!r}?")
        elif not _is_text(given):
            wrong.append(f"{key} is missing; write {key}: {right}")
        elif given != right:
            wrong.append(f"{key} is {given!r}; did you mean {right!r}?")
    if meant not in _KATIB_KINDS:
        return f"this looks like an object of Katib, but Katib has no kind {meant!r}; known: {', '.join(_KATIB_KINDS)}"
    return f"this looks like {Kind('Katib object', meant)}, but {' '.join(wrong)}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _near(name: object, known: tuple[str, ...]) -> str:
    """Returns the known name that is meant by one that may be misspelt; empty for none."""
    return _nearest(name, known) if isinstance(name, str) else ""


@lru_cache(1024)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    if name in known:
        return name
    plain = {_plain(each): each for each in known}
    if _plain(name) in plain:
        return plain[_plain(name)]
    if not any(abs(len(each) - len(name)) < 4 for each in known):
        return ""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    near = get_close_matches(_plain(name), plain, n=1, cutoff=0.8)
    return plain[near[0]] if near else ""


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")
