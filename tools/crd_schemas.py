"""Writes src/kftune/katib/crd/schemas.json: what the API server checks of the custom objects that lint knows.

    pip install --no-deps --target FOLDER kubernetes-validate==1.37.0 kubeflow-trainer-api==2.3.0 hera==7.1.0
    PYTHONPATH=FOLDER python tools/crd_schemas.py FOLDER

Names, types and required fields come from kubernetes-validate (Kubernetes 1.34 and 1.28), kubeflow-trainer-api (Trainer
and JobSet) and hera (Argo Workflows). `crd_overlay.yaml` adds what only the CRDs have: limits, defaults, keys of lists
and rules. `job_fields.json` says which integers have 64 bits.

A type is `{field: kind}`; `!` holds what applies to the whole type. A kind is `s` text, `b` bool, `i` int32, `I`
int64, `n` number, `q` quantity, `x` int or text, `t` time, `*` anything, `o` an object with any fields, `=Name` a type,
`[kind` a list, `{kind` a map with text keys; or `{"is": kind, …}` with further limits.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Base64Str, BaseModel, RootModel
from pydantic_fields import kind_of

OVERLAY: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("crd_overlay.yaml").read_bytes())

_KATIB = Path(__file__).parents[1] / "src/kftune/katib"
_SPECIAL = {"Quantity": "q", "IntOrString": "x", "Time": "t", "MicroTime": "t", "FieldsV1": "o"}
_PLAIN = {"string": "s", "boolean": "b", "number": "n", "object": "o"}
_ATOMS: dict[Any, str] = {
    str: "s",
    Base64Str: "s",
    bool: "b",
    float: "n",
    Any: "*",
    object: "*",
    datetime.datetime: "t",
}
_OLD = "1.28/"  # the Kubernetes version that the training operator's last CRDs were made with


def main(folder: Path) -> None:
    """Writes the file from the packages in a folder."""
    types = dict(_kubernetes(folder, "v1.34.0", "")) | dict(_kubernetes(folder, "v1.28.0", _OLD))
    types |= {name: fields for name, fields in _models() if name not in types}
    # Argo fills in the name of a template's container.
    types["argo/Container"] = {field: kind for field, kind in types["Container"].items() if field != "!"}
    for name, change in OVERLAY["types"].items():
        types[name] = _merged(types.get(name, {}), change)
    lines = [f"{json.dumps(name)}:{_text(fields)}" for name, fields in sorted(_reachable(types).items())]
    text = f'{{"kinds":{json.dumps(OVERLAY["kinds"], sort_keys=True)},\n"types":{{\n' + ",\n".join(lines) + "\n}}\n"
    (_KATIB / "crd/schemas.json").write_text(text, encoding="utf-8")


def _text(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"), sort_keys=True)


def _reachable(types: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the types that the kinds need. Equal types of the old and the new Kubernetes become one."""
    equal = {name for name in types if _OLD + name in types}

    def renamed(fields: Mapping[str, Any]) -> str:
        return re.sub(r"=1\.28/(\w+)", lambda it: f"={it[1]}" if it[1] in equal else it[0], _text(fields))

    while different := {name for name in equal if renamed(types[_OLD + name]) != _text(types[name])}:
        equal -= different
    found: dict[str, Any] = {}
    waiting = [given["type"] for given in OVERLAY["kinds"].values()]
    while waiting:
        name = waiting.pop()
        if name not in found:
            text = renamed(types[name])
            found[name] = json.loads(text)
            waiting += re.findall(r"=([\w./]+)", text)
    return found


def _merged(fields: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a type with the overlay's change: None removes a field, a map without `is` adds to the field's own."""
    merged = dict(fields)
    for field, kind in change.items():
        if kind is None:
            merged.pop(field)
        elif isinstance(kind, dict) and "is" not in kind:
            before = merged.get(field, {})
            merged[field] = {**(before if isinstance(before, dict) else {"is": before}), **kind}
        else:
            merged[field] = kind
    return merged


# ---------------------------------------------------------------------------------------------- Kubernetes' JSON Schema


def _kubernetes(folder: Path, version: str, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    (file,) = folder.glob(f"**/kubernetes-json-schema/{version}-local/_definitions.json")
    for name, given in json.loads(file.read_text(encoding="utf-8"))["$defs"].items():
        if re.match(r"io\.k8s\.api\.(core|batch|autoscaling|policy)\.v[12]\.|io\.k8s\.apimachinery", name):
            short = name.rpartition(".")[2]
            if not (".autoscaling.v1." in name or short in ("Event", "EventSeries", "EventSource", "ObjectMeta")):
                yield prefix + short, _type_of(given, prefix)


def _type_of(given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field, about in given.get("properties", {}).items():
        fields[field] = kind = _kind_of(about, prefix)
        if about.get("x-kubernetes-list-type") == "map":
            fields[field] = {"is": kind, "keys": about["x-kubernetes-list-map-keys"]}
        elif about.get("x-kubernetes-list-type") == "set":
            fields[field] = {"is": kind, "set": True}
    return fields | ({"!": {"required": sorted(given["required"])}} if given.get("required") else {})


def _kind_of(given: Mapping[str, Any], prefix: str) -> str:
    if "$ref" in given:
        name = given["$ref"].rpartition(".")[2]
        return _SPECIAL.get(name) or f"={prefix}{name}"
    named = given.get("type", ["object"])
    kind = named if isinstance(named, str) else named[0]
    if kind == "array":
        return "[" + _kind_of(given["items"], prefix)
    if kind == "object" and "additionalProperties" in given:
        return "{" + _kind_of(given["additionalProperties"], prefix)
    if kind == "integer":
        return "I" if given.get("format") == "int64" else "i"
    return "t" if given.get("format") == "date-time" else _PLAIN[kind]


# ------------------------------------------------------------------------------------------------------ pydantic models


def _models() -> Iterator[tuple[str, dict[str, Any]]]:
    import kubeflow_trainer_api.models as trainer  # noqa: PLC0415 - only here, because no environment has it
    from hera.workflows.models.io.argoproj.workflow import v1alpha1 as argo  # noqa: PLC0415

    job = json.loads((_KATIB / "go/job_fields.json").read_text(encoding="utf-8"))
    long = {name for fields in job.values() for name, kind in fields.items() if kind.endswith("I")}
    for module, prefix in ((trainer, ""), (argo, "argo/")):
        for model in vars(module).values():
            if isinstance(model, type) and issubclass(model, BaseModel) and _is_own(model, module.__name__):
                yield prefix + _short(model), _fields_of(model, long, prefix, module.__name__)


def _is_own(model: type, module: str) -> bool:
    return model.__module__.startswith(module) and not model.__name__.startswith("IoK8s")


def _short(model: type) -> str:
    pattern = r"^(?:IoK8s\w*?V\d(?:alpha\d|beta\d)?|IoK8s\w+(?=Quantity|IntOr)|TrainerV1alpha1|JobsetV1alpha2)(?=[A-Z])"
    return re.sub(pattern, "", model.__name__)


def _fields_of(model: type[BaseModel], long: set[str], prefix: str, module: str) -> dict[str, Any]:
    """Returns the fields of a model.

    Args:
        model: The class.
        long: The names of fields with 64-bit integers.
        prefix: The prefix of the types of this module.
        module: The name of the module.
    """
    fields: dict[str, Any] = {}
    required = []
    for attribute, about in model.model_fields.items():
        name = about.alias or attribute

        def name_of(annotation: Any, integer: str = "I" if name in long else "i") -> str | None:
            if annotation is int:
                return integer
            if annotation in _ATOMS:
                return _ATOMS[annotation]
            short = _short(annotation)
            if short in _SPECIAL or issubclass(annotation, RootModel):
                return _SPECIAL.get(short)
            return f"={prefix if _is_own(annotation, module) else ''}{short}"

        fields[name] = kind_of(about.annotation, name_of)
        if about.is_required():
            required.append(name)
    return fields | ({"!": {"required": sorted(required)}} if required else {})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
