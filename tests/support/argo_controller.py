"""Runs a rendered WorkflowTemplate: the features of Argo and the kubelet that kftune's manifests use.

It starts no pods: the caller gives the outputs of each pod. Like Argo, it substitutes values level by level, so it
treats the same texts as tags.

Source: argo-workflows v4.1.2, its controller run; workflow/controller/{dag,scope,operator}.go; kubelet (expansion).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from argo_traps import is_met

from kftune.katib.trial.kubelet import expanded

Object = dict[str, Any]
Writes = Callable[[str, list[str]], Mapping[str, str]]
"""Returns what a pod writes: template and argv -> output parameter -> text."""


class Pod(NamedTuple):
    """A pod that was started."""

    template: str
    argv: list[str]
    artifacts: dict[str, str]
    """Path -> the artifact in it, as ``template:number:name``."""
    variables: dict[str, str]


class StuckError(Exception):
    """The run hangs or fails."""


class FailedError(Exception):
    """A pod fails: `writes` raises it."""


class MissingError(Exception):
    """A value that is missing because its task did not run."""


def run(template: Object, writes: Writes, parameters: Mapping[str, str] | None = None) -> list[Pod]:
    """Runs a WorkflowTemplate to its end, with the exit step. A failed task stops only those that depend on it.

    Source: assessDAGPhase of the controller: a DAG ends when all of its tasks have.

    Raises:
        StuckError: Argo would hang or fail.
    """
    spec = template["spec"]
    values = {
        f"workflow.parameters.{parameter['name']}": parameter["value"]
        for parameter in spec.get("arguments", {}).get("parameters", [])
        if "value" in parameter
    }
    values |= {f"workflow.parameters.{name}": text for name, text in (parameters or {}).items()}
    controller = _Controller(spec, {**values, "workflow.uid": "uid", "workflow.name": "EXPANDED"}, writes)
    controller.known["workflow.status"] = "Succeeded"
    try:
        controller.execute(spec["entrypoint"], {}, {})
    except FailedError:
        controller.known["workflow.status"] = "Failed"
    if "onExit" in spec:
        controller.execute(spec["onExit"], {}, {})
    return controller.pods


class _Controller:
    def __init__(self, spec: Object, known: dict[str, str], writes: Writes) -> None:
        self.known = known
        self.pods: list[Pod] = []
        self._templates = {template["name"]: template for template in spec["templates"]}
        self._writes = writes

    def execute(self, name: str, parameters: Mapping[str, str], artifacts: Mapping[str, str]) -> dict[str, str]:
        """Runs a template. Returns its outputs as ``parameters.x`` and ``artifacts.x``."""
        template = self._templates[name]
        inputs = template.get("inputs", {})
        scope = dict(self.known)
        for parameter in inputs.get("parameters", []):
            text = parameters.get(parameter["name"], parameter.get("default"))
            if text is None:
                raise StuckError(f"{name}: inputs.parameters.{parameter['name']} was not supplied")
            scope[f"inputs.parameters.{parameter['name']}"] = text
        for artifact in inputs.get("artifacts", []):
            if artifact["name"] in artifacts:
                scope[f"inputs.artifacts.{artifact['name']}"] = artifacts[artifact["name"]]
            elif not artifact.get("optional"):
                raise StuckError(f"{name}: inputs.artifacts.{artifact['name']} was not supplied")
        if "suspend" in template:
            raise StuckError(f"unable to parse {_filled(template['suspend']['duration'], scope)} as a duration")
        if "dag" in template:
            return self._dag(template, scope)
        return self._pod(template, scope)

    def _pod(self, template: Object, scope: Mapping[str, str]) -> dict[str, str]:
        texts = [*template["container"]["command"], *template["container"].get("args", [])]
        variables: dict[str, str] = {}
        for variable in template["container"].get("env", []):
            if "value" in variable:
                variables[variable["name"]] = expanded(_filled(variable["value"], scope), variables)
        argv = [expanded(_filled(text, scope), variables) for text in texts]
        lying = {
            artifact["path"]: scope[f"inputs.artifacts.{artifact['name']}"]
            for artifact in template.get("inputs", {}).get("artifacts", [])
            if f"inputs.artifacts.{artifact['name']}" in scope
        }
        number = sum(pod.template == template["name"] for pod in self.pods)
        self.pods.append(Pod(template["name"], argv, lying, variables))
        outputs = template.get("outputs", {})
        written = self._writes(template["name"], argv)
        made = {f"parameters.{output['name']}": written[output["name"]] for output in outputs.get("parameters", [])}
        for output in outputs.get("artifacts", []):
            made[f"artifacts.{output['name']}"] = f"{template['name']}:{number}:{output['name']}"
        return made

    def _dag(self, template: Object, scope: dict[str, str]) -> dict[str, str]:
        states: dict[str, str] = {}
        for task in template["dag"]["tasks"]:
            name = task["name"]
            states[name] = self._task(task, scope, states)
            scope[f"tasks.{name}.status"] = states[name]
        if "Failed" in states.values():
            raise FailedError(template["name"])
        made = {}
        for output in template.get("outputs", {}).get("parameters", []):
            made[f"parameters.{output['name']}"] = _dag_output(output["valueFrom"], scope)
        return made

    def _task(self, task: Object, scope: dict[str, str], states: Mapping[str, str]) -> str:
        if not is_met(task, states):
            return "Omitted"
        name = task["name"]
        if "when" in task and not _should_execute(_filled(task["when"], scope)):
            return "Skipped"
        if "withParam" not in task:
            made = self._ended(task, scope, {})
            for key, value in (made or {}).items():
                scope[f"tasks.{name}.outputs.{key}"] = value
            return "Failed" if made is None else "Succeeded"
        items = json.loads(_filled(task["withParam"], scope))
        ended = [self._ended(task, scope, _item_values(item)) for item in items]
        results = [made for made in ended if made is not None]
        if len(results) < len(ended):
            return "Failed"
        for key in results[0] if results else ():
            scope[f"tasks.{name}.outputs.{key}"] = _json([_aggregated(result[key]) for result in results])
        return "Succeeded" if items else "Skipped"

    def _ended(self, task: Object, scope: Mapping[str, str], item: Mapping[str, str]) -> dict[str, str] | None:
        """Runs the template of a task; None if it fails."""
        try:
            return self._called(task, scope, item)
        except FailedError:
            return None

    def _called(self, task: Object, scope: Mapping[str, str], item: Mapping[str, str]) -> dict[str, str]:
        values = {**scope, **item}
        arguments = task.get("arguments", {})
        parameters, artifacts = {}, {}
        for parameter in arguments.get("parameters", []):
            try:
                parameters[parameter["name"]] = _filled(parameter["value"], values)
            except MissingError:
                continue
        for artifact in arguments.get("artifacts", []):
            path = artifact["from"].removeprefix("{{").removesuffix("}}")
            if path in values:
                artifacts[artifact["name"]] = values[path]
            elif not artifact.get("optional"):
                raise StuckError(f"{task['name']}: {path} is not there")
        return self.execute(task["template"], parameters, artifacts)


def _item_values(item: object) -> dict[str, str]:
    """Returns the tags of an item. Texts in a mapping stay as JSON has them: Argo only cuts off the outer quotes."""
    if isinstance(item, dict):
        fields = {f"item.{key}": _go_json(value) for key, value in item.items()}
        cut = {key: text[1:-1] if text.startswith('"') else text for key, text in fields.items()}
        return {"item": _go_json(dict(sorted(item.items()))), **cut}
    return {"item": _text(item)}


def _text(value: object) -> str:
    return value if isinstance(value, str) else _json(value)


def _aggregated(text: str) -> object:
    """Returns an item of a loop's list: a JSON list or map is parsed, other texts stay texts."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (list, dict)) else text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _dag_output(source: Object, scope: Mapping[str, str]) -> str:
    try:
        if "expression" in source:
            return _text(_evaluated(source["expression"], scope))
        return _filled(source["parameter"], scope)
    except MissingError:
        if "default" in source:
            return str(source["default"])
        raise StuckError(f"{source}: nothing is there, and no default") from None


def _filled(text: str, scope: Mapping[str, str]) -> str:
    """Returns a text with its tags filled in.

    Raises:
        MissingError: A tag names a missing output.
        StuckError: A tag names something that does not exist.
    """

    def value_of(found: re.Match[str]) -> str:
        tag = found[1]
        if tag.startswith("="):
            return _text(_evaluated(tag[1:], scope))
        if tag.strip() in scope:
            return scope[tag.strip()]
        if re.match(r"tasks\.[-\w]+\.outputs\.", tag.strip()) and _task_status(tag.strip(), scope) != "Succeeded":
            raise MissingError(tag)
        if tag.strip().startswith(("tasks.", "inputs.", "workflow.", "item.", "outputs.", "steps.", "pod.")):
            raise StuckError(f"{{{{{tag}}}}} does not exist")
        return found[0]

    return re.sub(r"\{\{(.*?)\}\}", value_of, text, flags=re.DOTALL)


def _should_execute(when: str) -> bool:
    """Source: argo-workflows v4.0.5, workflow/controller/steps.go, shouldExecute."""
    if when not in ("true", "false"):
        raise StuckError(f"Invalid 'when' expression '{when}'")
    return when == "true"


def _task_status(path: str, scope: Mapping[str, str]) -> str:
    return scope.get(f"tasks.{path.split('.')[1]}.status", "Succeeded")


# ---------------------------------------------------------------------------------------------------------- expressions

_WORD = re.compile(
    r"\s*(?:(?P<text>'[^']*')|(?P<number>-?[0-9.]+(?:e[-+]?[0-9]+)?)|(?P<name>[A-Za-z_#]\w*)|(?P<sign>==|!=|<=|>=|&&|.))"
)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}


def _evaluated(expression: str, scope: Mapping[str, str]) -> Any:
    """Returns the value of an expression, in the few forms that kftune renders."""
    return _Expression(list(_WORD.finditer(expression.strip())), _nested(scope)).value()


def _nested(scope: Mapping[str, str]) -> Object:
    """Returns paths as nested maps; as in Argo, the last name of `tasks.a.outputs.parameters.x` is one name."""
    tree: Object = {}
    for path, value in scope.items():
        *parents, last = path.split(".")
        level = tree
        for parent in parents:
            child = level.setdefault(parent, {})
            level = child if isinstance(child, dict) else {}
        level[last] = value
    return tree


class _Expression:
    """Parses an expression into functions of the value of `#`."""

    def __init__(self, words: list[re.Match[str]], scope: Object) -> None:
        self._words = words
        self._scope = scope

    def value(self) -> Any:
        """Returns the value of the whole expression."""
        read = self._choice()
        assert not self._words, self._words
        return read(None)

    def _choice(self) -> Callable[[Any], Any]:
        """Reads a condition and, behind a `?`, the two values that it chooses from; the other one is not evaluated."""
        condition = self._comparison()
        if self._peek() != "?":
            return condition
        self._take()
        yes = self._choice()
        assert self._take() == ":"
        no = self._choice()
        return lambda item: yes(item) if condition(item) else no(item)

    def _comparison(self) -> Callable[[Any], Any]:
        """Reads sides with an operator between them; `not` and `&&` as far as needed, from right to left."""
        if self._peek() == "not":
            self._take()
            denied = self._comparison()
            return lambda item: not denied(item)
        left = self._side()
        while self._peek() in _OPERATORS:
            left = _operation(_OPERATORS[self._take()], left, self._side())
        if self._peek() == "&&":
            self._take()
            rest = self._comparison()
            return lambda item: left(item) and rest(item)
        return left

    def _side(self) -> Callable[[Any], Any]:
        word = self._words.pop(0)
        if word["text"] is not None:
            return lambda item: word["text"][1:-1].replace("\\\\", "\\")
        if word["number"] is not None:
            return lambda item: float(word["number"])
        if word["name"] == "#":
            return lambda item: item
        if word["sign"] == "(":
            inner = self._choice()
            assert self._take() == ")"
            return inner
        if word["sign"] == "{":
            closure = self._comparison()
            assert self._take() == "}"
            return lambda item: closure
        return self._path(word["name"])

    def _path(self, first: str) -> Callable[[Any], Any]:
        names = [first]
        while self._peek() in (".", "["):
            if self._take() == ".":
                names.append(self._take())
            else:
                names.append(self._take()[1:-1])
                assert self._take() == "]"
        if self._peek() != "(":
            return lambda item: self._found(names)
        self._take()
        arguments = [self._comparison()]
        while self._peek() == ",":
            self._take()
            arguments.append(self._comparison())
        assert self._take() == ")"
        function = _FUNCTIONS[".".join(names)]
        return lambda item: function(*(argument(item) for argument in arguments))

    def _found(self, names: list[str]) -> Any:
        value: Any = self._scope
        for name in names:
            if not isinstance(value, dict) or name not in value:
                raise MissingError(".".join(names))
            value = value[name]
        return value

    def _peek(self) -> str:
        return self._words[0][0].strip() if self._words else ""

    def _take(self) -> str:
        return self._words.pop(0)[0].strip()


def _operation(
    operate: Callable[[Any, Any], Any], left: Callable[[Any], Any], right: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    return lambda item: operate(left(item), right(item))


def _jsonpath(text: str, path: str) -> Any:
    try:
        # Go knows no NaN, and no number that a float cannot hold.
        value = json.loads(text, parse_constant=_no_constant, parse_float=_as_float)
    except ValueError as error:
        raise StuckError(str(error)) from error
    return value if path == "$" else value[int(path.removeprefix("$[").removesuffix("]"))]


def _go_json(value: object) -> str:
    text = _json(value)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _as_int(text: str) -> int:
    if re.fullmatch("[-+]?[0-9]+", text) is None or not -(2**63) <= int(text) < 2**63:
        raise StuckError(f"invalid operation: int({text})")
    return int(text)


def _as_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if text != text.strip() or (math.isinf(value) and "inf" not in text.lower()):
        raise StuckError(f"invalid operation: float({text})")
    return value


def _no_constant(text: str) -> Any:
    raise StuckError(f"invalid character in {text}")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "asFloat": _as_float,
    "asInt": _as_int,
    "toJson": _go_json,
    "jsonpath": _jsonpath,
    "map": lambda items, closure: [closure(item) for item in items],
    "filter": lambda items, closure: [item for item in items if closure(item)],
    "any": lambda items, closure: any(closure(item) for item in items),
    "join": lambda items, glue: glue.join(items),
    "trim": lambda text: text.strip(),
    "trimPrefix": lambda text, prefix: text.removeprefix(prefix),
    "sprig.ternary": lambda yes, no, condition: yes if condition else no,
}
