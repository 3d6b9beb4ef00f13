"""Makes `schemas.json`: what the API server checks of the custom objects that lint meets.

    python tools/crd_schemas.py FOLDER

FOLDER holds the unpacked wheels of kubernetes-validate (1.37.0 was used: Kubernetes' own types, of 1.34 and 1.28),
kubeflow-trainer-api (2.3.0: Trainer's and JobSet's) and hera (7.1.0: Argo Workflows'). They tell names, types and what
is required; limits, defaults, keys of lists and rules are in `crd_overlay.py`.

A type is `{field: kind}`, with `!` for what belongs to all of it. A kind is `s` text, `b` bool, `i` int32, `I` int64,
`n` number, `q` quantity, `x` int or text, `t` time, `*` anything, `o` an object of any fields, `=Name` a type, `[kind`
a list, `{kind` a map by text; or `{"is": kind}` with what else is asked of it.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crd_overlay import KINDS, TYPES
from job_fields import INT64

_SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "x",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "o",
}
_PLAIN = {"string": "s", "boolean": "b", "number": "n", "object": "o"}
_NAMES = {"str": "s", "StrictStr": "s", "Base64Str": "s", "bool": "b", "StrictBool": "b", "float": "n", "Any": "*"}
_OLD = "1.28/"  # the Kubernetes that the training operator's last CRDs were made with


def main(arguments: list[str]) -> int:
    """Writes the file beside this module."""
    (folder,) = arguments
    types = dict(_kubernetes(Path(folder), "v1.34.0"))
    old = dict(_kubernetes(Path(folder), "v1.28.0"))
    types |= {_OLD + name: _renamed(fields, _OLD) for name, fields in old.items()}
    types |= {name: fields for name, fields in _models(Path(folder)) if name not in types}
    # Argo fills in the name of a template's container.
    types["argo/Container"] = {field: kind for field, kind in types["Container"].items() if field != "!"}
    for name, change in TYPES.items():
        types[name] = _merged(types.get(name, {}), change)
    used = _reachable(types)
    kinds = {f"{version} {kind}": given for (version, kind), given in KINDS.items()}
    lines = [f"{json.dumps(name)}:{json.dumps(types[name], separators=(',', ':'), sort_keys=True)}" for name in used]
    text = f'{{"kinds":{json.dumps(kinds, sort_keys=True)},\n"types":{{\n' + ",\n".join(lines) + "\n}}\n"
    Path(__file__).parents[1].joinpath("src/kftune/katib/crd/schemas.json").write_text(text, encoding="utf-8")
    return 0


def _reachable(types: Mapping[str, Any]) -> list[str]:
    """The types that the kinds need; those of the old Kubernetes only where they differ."""
    same = {name for name in types if name.startswith(_OLD) and _is_same(name, types, ())}
    waiting = [given["type"] for given in KINDS.values()]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        fields = types[name]
        for field, kind in fields.items():
            text = json.dumps(kind)
            shared = re.sub(r"=(1\.28/\w+)", lambda it: "=" + (it[1][5:] if it[1] in same else it[1]), text)
            fields[field] = json.loads(shared)
            waiting += re.findall(r"=([\w./]+)", shared)
    return sorted(found)


def _is_same(name: str, types: Mapping[str, Any], above: tuple[str, ...]) -> bool:
    """Whether a type of the old Kubernetes, and all below it, is that of the new one."""
    if name in above:
        return True
    new = types.get(name.removeprefix(_OLD))
    if name not in types:
        return True  # a type that no custom object needs
    if new is None or json.dumps(types[name], sort_keys=True).replace(_OLD, "") != json.dumps(new, sort_keys=True):
        return False
    inside = re.findall(r"=(1\.28/\w+)", json.dumps(types[name]))
    return all(_is_same(each, types, (*above, name)) for each in inside)


def _renamed(fields: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    text = json.dumps(fields)
    return dict(json.loads(re.sub(r'(?<=[":\[{])=(\w)', rf"={prefix}\1", text)))


def _merged(fields: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A type with the overlay's change: None takes a field away, a map without `is` adds to what is there."""
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


# ------------------------------------------------------------------------------------------------- Kubernetes' own


def _kubernetes(folder: Path, version: str) -> Iterator[tuple[str, dict[str, Any]]]:
    (file,) = folder.glob(f"**/kubernetes-json-schema/{version}-local/_definitions.json")
    for name, given in json.loads(file.read_text(encoding="utf-8"))["$defs"].items():
        if re.match(r"io\.k8s\.api\.(core|batch|autoscaling|policy)\.v[12]\.|io\.k8s\.apimachinery", name):
            short = name.rpartition(".")[2]
            if not (".autoscaling.v1." in name or short in ("Event", "EventSeries", "EventSource", "ObjectMeta")):
                yield short, _type_of(given)


def _type_of(given: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {field: _kind_of(field, kind) for field, kind in given.get("properties", {}).items()}
    if given.get("required"):
        fields["!"] = {"required": sorted(given["required"])}
    return fields


def _kind_of(field: str, given: Mapping[str, Any]) -> Any:
    kind = _bare_kind(field, given)
    if given.get("x-kubernetes-list-type") == "map":
        return {"is": kind, "keys": given["x-kubernetes-list-map-keys"]}
    if given.get("x-kubernetes-list-type") == "set":
        return {"is": kind, "set": True}
    return kind


def _bare_kind(field: str, given: Mapping[str, Any]) -> str:
    reference = given.get("$ref", "").removeprefix("#/$defs/")
    if reference:
        return _SPECIAL.get(reference) or "=" + reference.rpartition(".")[2]
    named = given.get("type", ["object"])
    kind = named if isinstance(named, str) else named[0]
    if kind == "array":
        return "[" + _bare_kind(field, given["items"])
    if kind == "object" and "additionalProperties" in given:
        return "{" + _bare_kind(field, given["additionalProperties"])
    if kind == "integer":
        return "I" if field in INT64 else "i"
    return "t" if given.get("format") == "date-time" else _PLAIN[kind]


# -------------------------------------------------------------------------------------------------- models in Python


def _models(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in folder.glob("**/kubeflow_trainer_api/models/*.py"):
        yield from _classes(file, "")
    (argo,) = folder.glob("**/hera/workflows/models/io/argoproj/workflow/v1alpha1.py")
    yield from _classes(argo, "argo/")


def _classes(file: Path, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    found = [node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]
    roots = {
        node.name: item.annotation
        for node in found
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id == "root"
    }
    reader = _Reader(prefix, roots)
    for node in found:
        if not node.name.startswith("IoK8s"):
            yield prefix + _short(node.name), reader.type_of(node)


def _short(name: str) -> str:
    return re.sub(r"^(?:IoK8s\w*?V\d(?:alpha\d|beta\d)?|TrainerV1alpha1|JobsetV1alpha2)(?=[A-Z])", "", name)


class _Reader:
    """Reads the classes of one file."""

    def __init__(self, prefix: str, roots: Mapping[str, ast.expr]) -> None:
        self.prefix = prefix
        self.roots = roots

    def type_of(self, node: ast.ClassDef) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        required = []
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id[0] != "_":
                alias = _alias(item) or item.target.id
                fields[alias] = self._kind(alias, item.annotation)
                if _is_required(item):
                    required.append(alias)
        if required:
            fields["!"] = {"required": sorted(required)}
        return fields

    def _kind(self, field: str, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp):
            return self._kind(field, node.left)
        if isinstance(node, ast.Subscript):
            outer = ast.unparse(node.value)
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if outer in ("list", "List"):
                return "[" + self._kind(field, inner[0])
            if outer in ("dict", "Dict"):
                return "{" + self._kind(field, inner[1])
            return self._kind(field, inner[0])
        name = ast.unparse(node).rpartition(".")[2]
        if name in ("int", "StrictInt"):
            return "I" if field in INT64 else "i"
        if name in self.roots:
            return self._kind(field, self.roots[name])
        special = {"IntOrString": "x", "Quantity": "q", "Time": "t", "datetime": "t", "object": "*"}
        own = isinstance(node, ast.Name) and not name.startswith("IoK8s")
        return _NAMES.get(name) or special.get(_short(name)) or f"={self.prefix if own else ''}{_short(name)}"


def _alias(item: ast.AnnAssign) -> str | None:
    for node in ast.walk(item):
        if isinstance(node, ast.keyword) and node.arg == "alias" and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    return None


def _is_required(item: ast.AnnAssign) -> bool:
    if item.value is None:
        return True
    return isinstance(item.value, ast.Call) and not any(word.arg == "default" for word in item.value.keywords)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
