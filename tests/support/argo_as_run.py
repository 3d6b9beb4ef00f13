"""Reimplements `argo lint --offline` 4.1.2, so that tests need no Argo.

It follows the source of Argo's validation and the behaviour of its binary and controller. test_argo_as_run.py compares
it with 450 recorded cases. `argo_traps.py` finds what lint accepts but the controller cannot run.

Source: argo-workflows v4.1.2, workflow/validate, workflow/common/ancestry.go, util/template; robfig/cron v3.
"""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import yaml
from places import DATA

from kftune.katib.go.quantity import parse as parse_quantity
from kftune.katib.go.reading import NotYamlError, pieces, read

Object = dict[str, Any]

KINDS = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")
TEMPLATE_KINDS = (
    "container",
    "containerSet",
    "steps",
    "script",
    "resource",
    "dag",
    "suspend",
    "data",
    "http",
    "plugin",
)
LEAVES = frozenset(TEMPLATE_KINDS) - {"steps", "dag"}
PODS = frozenset(("container", "containerSet", "script", "resource", "data"))

_FIELD_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_PARAMETER_NAME = re.compile(r"[-a-zA-Z0-9_]+")
_METRIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_DEPENDENCY = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?)\.([A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_RESULTS = frozenset(("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed"))
_OVER_ITEMS = frozenset(("AnySucceeded", "AllFailed"))
_ROOTS = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
_ALWAYS = ("outputs.", "workflow.creationTimestamp", "workflow.scheduledTime", "workflow.duration", "tasks.name",
           "steps.name", "node.name")  # fmt: skip
_GLOBALS = ("name", "namespace", "mainEntrypoint", "serviceAccountName", "uid", "annotations", "annotations.json",
            "labels", "labels.json", "status")  # fmt: skip
DURATION = re.compile(r"[-+]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+|0")
# Characters that Go's strconv.Quote writes in a form that JSON does not know.
_BREAKS_JSON = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f]")


class RefusedError(Exception):
    """A text that lint rejects."""


# ------------------------------------------------------------------------------------------------- reading and decoding


class Document(NamedTuple):
    """An Argo object in a text."""

    kind: str
    value: Object

    @property
    def name(self) -> str:
        """Its name, or the prefix of its name."""
        metadata = self.value.get("metadata") or {}
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @property
    def place(self) -> tuple[str, str]:
        """Its namespace and name."""
        return ((self.value.get("metadata") or {}).get("namespace") or "", self.name)

    @property
    def spec(self) -> Object:
        """The spec of the workflow that it is or creates."""
        spec: Object = self.value.get("spec") or {}
        return (spec.get("workflowSpec") or {}) if self.kind == "CronWorkflow" else spec


def documents(text: str) -> list[Document]:
    """Returns the objects that lint sees. Like lint, it ignores invalid documents and objects of other kinds."""
    found = []
    for piece in pieces(text):
        try:
            value = None if _has_twin_keys(piece.text) else read(piece.text)
        except NotYamlError:
            continue
        if isinstance(value, dict) and value.get("kind") in KINDS:
            found.append(Document(value["kind"], value))
    return found


def _has_twin_keys(text: str) -> bool:
    try:
        nodes = [yaml.compose(text, yaml.CSafeLoader)]
    except yaml.YAMLError:
        return True
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            if len(keys) != len(set(map(str, keys))):
                return True
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    return False


@cache
def fields() -> dict[str, dict[str, str]]:
    """Argo's structs; the notation is that of `kftune.katib.go.types`."""
    text = DATA.joinpath("argo_fields.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = json.loads(text)
    return loaded


def _decode(kind: str, value: Any, path: str) -> None:
    """Rejects values that Go's types do not accept, and unknown fields."""
    if value is None:
        return
    if kind[0] == "=":
        _expect(value, dict, path)
        known = fields()[kind[1:]]
        for key, item in value.items():
            if key not in known:
                raise RefusedError(f"strict decoding error: unknown field {path}.{key}")
            _decode(known[key], item, f"{path}.{key}")
    elif kind[0] == "[":
        _expect(value, list, path)
        for index, item in enumerate(value):
            _decode(kind[1:], item, f"{path}[{index}]")
    elif kind[0] == "{":
        _expect(value, dict, path)
        for key, item in value.items():
            _decode(kind[1:], item, f"{path}.{key}")
    elif kind in "sbIxq" and not _fits(kind, value):
        raise RefusedError(f"json: cannot unmarshal {value!r} into {path}")


def _expect(value: Any, kind: type, path: str) -> None:
    if not isinstance(value, kind):
        raise RefusedError(f"json: cannot unmarshal {value!r} into {path}, a {kind.__name__}")


def _fits(kind: str, value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == "q":
        return (
            not isinstance(value, bool)
            and parse_quantity(value if isinstance(value, str) else json.dumps(value)) is not None
        )
    return {
        "s": isinstance(value, str),
        "b": isinstance(value, bool),
        "I": whole,
        "x": whole or isinstance(value, str),
    }[kind]


# ----------------------------------------------------------------------------------------------------------------- lint


def lint(text: str) -> str | None:
    """Returns lint's error about a text, or None.

    The wording is not Argo's, but the meaning is.
    """
    found = documents(text)
    try:
        if not found:
            raise RefusedError("found nothing to lint in the specified paths, failing...")
        for document in found:
            value = {key: item for key, item in document.value.items() if key != "status"}
            _decode("=" + document.kind, value, document.kind)
        library = library_of(found)
        for document in found:
            _check_document(document, library)
    except RefusedError as refused:
        return str(refused)
    return None


class Base(NamedTuple):
    """The templates of one scope, by name."""

    key: str
    spec: Object
    namespace: str

    def template(self, name: str) -> Object | None:
        """Returns one of its templates."""
        return next((template for template in self.spec.get("templates") or () if template.get("name") == name), None)


Library = Mapping[tuple[str, str, bool], Object]


def library_of(found: Sequence[Document]) -> Library:
    library: dict[tuple[str, str, bool], Object] = {}
    for document in found:
        if document.kind in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
            cluster = document.kind == "ClusterWorkflowTemplate"
            key = ("" if cluster else document.place[0], document.name, cluster)
            if key in library:
                raise RefusedError(f"duplicate {document.kind} found: {document.name}")
            library[key] = document.spec
    return library


def _check_document(document: Document, library: Library) -> None:
    metadata = document.value.get("metadata") or {}
    longest = 52 if document.kind == "CronWorkflow" else 63
    if len(metadata.get("name") or "") > longest:
        raise RefusedError(f"name must not be more than {longest} characters long")
    if document.kind == "CronWorkflow":
        _check_cron(document.value.get("spec") or {})
        metadata = (document.value.get("spec") or {}).get("workflowMetadata") or {}
    _Check(document, metadata, library).run()


class _Check:
    """The validation of one workflow."""

    def __init__(self, document: Document, metadata: Object, library: Library) -> None:
        self.spec = document.spec
        self.library = library
        self.is_template = document.kind in ("WorkflowTemplate", "ClusterWorkflowTemplate")
        self.needs_values = document.kind == "CronWorkflow"
        self.seen: set[tuple[str, str]] = set()
        self.values: dict[str, str] = {}
        self.globals = {f"workflow.{name}" for name in _GLOBALS}
        extra = self.spec.get("workflowMetadata") or {}
        for name, sources in {"annotations": ("annotations",), "labels": ("labels", "labelsFrom")}.items():
            keys = [key for holder in (metadata, extra) for source in sources for key in holder.get(source) or ()]
            self.globals |= {f"workflow.{name}.{key}" for key in keys}
        self.base = Base("local", self.spec, document.place[0])

    def run(self) -> None:
        spec, base = self.spec, self.base
        reference = spec.get("workflowTemplateRef")
        parameters = list((spec.get("arguments") or {}).get("parameters") or ())
        if reference is not None:
            if spec.get("templates"):
                raise RefusedError("Templates is invalid field in spec if workflow referred WorkflowTemplate reference")
            base = self._referred(reference, base)
            given = {parameter["name"] for parameter in parameters}
            theirs = (base.spec.get("arguments") or {}).get("parameters") or ()
            parameters += [parameter for parameter in theirs if parameter["name"] not in given]
        _check_names(spec.get("templates") or (), "spec.templates", _FIELD_NAME)
        arguments = {**(spec.get("arguments") or {}), "parameters": parameters}
        _check_arguments(arguments, "spec.arguments", empty_allowed=not self.needs_values)
        if parameters:
            self.globals |= {"workflow.parameters", "workflow.parameters.json"}
        for parameter in parameters:
            name = f"workflow.parameters.{parameter['name']}"
            self.globals.add(name)
            if parameter.get("value") is not None:
                self.values[name] = any_text(parameter["value"])
        if spec.get("priority") is not None:
            self.globals.add("workflow.priority")
        entrypoint = spec.get("entrypoint") or base.spec.get("entrypoint")
        if entrypoint:
            self._check_holder({"template": entrypoint}, base, None if self.is_template else arguments)
        elif not self.is_template:
            raise RefusedError("spec.entrypoint is required")
        self._check_exit(base, arguments)
        for template in base.spec.get("templates") or ():
            self._check_holder({"template": template["name"]}, base, None)

    def _check_exit(self, base: Base, arguments: Object) -> None:
        leave = self.spec.get("onExit") or base.spec.get("onExit")
        if leave:
            self.globals.add("workflow.failures")
            self._check_holder({"template": leave}, base, self.spec.get("arguments") or {})
        _check_hooks(self.spec.get("hooks"))
        collection = self.spec.get("podGC") or {}
        strategies = (None, "", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")
        if collection.get("strategy") not in strategies:
            raise RefusedError(f"podGC.strategy unknown strategy '{collection['strategy']}'")
        for expression in (collection.get("labelSelector") or {}).get("matchExpressions") or ():
            if expression.get("operator") not in ("In", "NotIn", "Exists", "DoesNotExist"):
                raise RefusedError("podGC.labelSelector invalid")

    def _referred(self, reference: Object, base: Base) -> Base:
        cluster = bool(reference.get("clusterScope"))
        name, namespace = reference.get("name") or "", "" if cluster else base.namespace
        spec = self.library.get((namespace, name, cluster))
        if spec is None:
            raise RefusedError(f"couldn't find workflow template {name!r} in namespace {namespace!r}")
        return Base(f"{namespace}/{name}/{cluster}", spec, namespace)

    def _check_holder(self, holder: Object, base: Base, arguments: Object | None) -> Object | None:
        """Checks the template that a task names. Without `arguments`, all inputs count as given."""
        reference, name = holder.get("templateRef"), holder.get("template")
        if reference is not None:
            if name or not reference.get("name") or not reference.get("template"):
                raise RefusedError("template name cannot be specified with templateRef, which needs name and template")
            if any(_simple_tags(reference)):
                return None
            base = self._referred(reference, base)
            template = base.template(reference["template"])
            if template is None:
                raise RefusedError(f"template reference {reference['name']}.{reference['template']} not found")
        elif name:
            template = base.template(name)
            if template is None:
                raise RefusedError(f"template name '{name}' undefined")
        elif holder.get("inline") is not None:
            template = holder["inline"]
        else:
            raise RefusedError("failed to get a template")
        policy = (template.get("retryStrategy") or {}).get("retryPolicy")
        if policy not in (None, "", "Always", "OnFailure", "OnError", "OnTransientError"):
            raise RefusedError(f"{policy} is not a valid RetryPolicy")
        self._check_template(template, base, arguments)
        return template

    def _check_template(self, template: Object, base: Base, arguments: Object | None) -> None:
        if isinstance(template.get("plugin"), dict) and len(template["plugin"]) != 1:
            raise RefusedError(f"expected exactly one key, got {len(template['plugin'])}")
        kinds = [kind for kind in TEMPLATE_KINDS if template.get(kind) is not None]
        if len(kinds) != 1:
            raise RefusedError(f"templates.{template.get('name')} template type: {kinds or 'unspecified'}")
        kind = kinds[0]
        scope = _check_inputs(template, kind)
        _check_containers(template)
        if kind in PODS:
            scope.add("pod.name")
        if template.get("retryStrategy") is not None:
            scope |= {"retries", *(f"lastRetry.{name}" for name in ("exitCode", "status", "duration", "message"))}
        scope |= set(_own_outputs(template, kind))
        template = self._with_arguments(template, arguments)
        timeout = template.get("timeout")
        if timeout and (kind not in LEAVES or re.fullmatch(r"[-+]?[0-9]+", timeout)):
            raise RefusedError(f"{kind} template has a wrong timeout {timeout!r}")
        if (base.key, template.get("name") or "") in self.seen:
            return
        self.seen.add((base.key, template.get("name") or ""))
        scope |= self.globals
        if kind == "dag":
            self._check_dag(template, scope, base)
        elif kind == "steps":
            self._check_steps(template, scope, base)
        else:
            self._check_leaf(template, kind, scope, base)
        _check_outputs(template, kind)
        self._check_tags(template.get("outputs") or {}, scope)
        _check_metrics(template)

    def _with_arguments(self, template: Object, arguments: Object | None) -> Object:
        """Returns the template with the known inputs filled in."""
        inputs = template.get("inputs") or {}
        values = dict(self.values)
        if arguments is not None:
            given = {parameter["name"]: parameter for parameter in arguments.get("parameters") or ()}
            for parameter in inputs.get("parameters") or ():
                name = parameter["name"]
                source = given.get(name, parameter)
                value = next((source[key] for key in ("value", "default") if source.get(key) is not None), None)
                if value is None and source.get("valueFrom") is None and name not in given:
                    raise RefusedError(f"inputs.parameters.{name} was not supplied")
                if value is not None:
                    values[f"inputs.parameters.{name}"] = any_text(value)
            delivered = {artifact["name"] for artifact in arguments.get("artifacts") or ()}
            for artifact in inputs.get("artifacts") or ():
                if artifact["name"] not in delivered and not artifact.get("optional") and not _has_location(artifact):
                    raise RefusedError(f"inputs.artifacts.{artifact['name']} was not supplied")
        for tag in _simple_tags(template):
            if _BREAKS_JSON.search(values.get(tag.strip(), "")):
                raise RefusedError("cannot finish template replacement because the result was invalid JSON")
        return template

    def _check_tags(self, value: object, scope: set[str]) -> None:
        for tag in _simple_tags(value):
            trimmed = tag.strip()
            known = not trimmed.startswith(_ROOTS) or trimmed in scope or trimmed in self.globals
            if known or trimmed.startswith(_ALWAYS):
                continue
            if trimmed.startswith("item.") and "item.*" in scope:
                continue
            if trimmed.startswith("workflow.parameters") and self.is_template:
                continue
            raise RefusedError(f"failed to resolve {{{{{tag}}}}}")

    def _check_leaf(self, template: Object, kind: str, scope: set[str], base: Base) -> None:
        self._check_tags(template, scope)
        if kind in ("container", "script"):
            usual = ((base.spec.get("templateDefaults") or {}).get(kind) or {}).get("image")
            if not template[kind].get("image") and not usual:
                raise RefusedError(f"templates.{template.get('name')}.{kind}.image may not be empty")
        if kind == "container":
            places = [mount.get("mountPath") for mount in template["container"].get("volumeMounts") or ()]
            places += [artifact.get("path") or "" for artifact in (template.get("inputs") or {}).get("artifacts") or ()]
            if len(places) != len(set(places)):
                raise RefusedError("path already mounted")
        if kind == "containerSet":
            _check_container_set(template)
        if kind == "resource":
            _check_resource(template)
        deadline = template.get("activeDeadlineSeconds")
        if deadline is not None and not re.fullmatch(r"\{\{.*\}\}|[0-9]+", str(deadline)):
            raise RefusedError("activeDeadlineSeconds must be a positive integer > 0 or an argo variable")
        if template.get("parallelism") is not None:
            raise RefusedError("parallelism is only valid for steps and dag templates")

    def _check_steps(self, template: Object, scope: set[str], base: Base) -> None:
        names: set[str] = set()
        for step in (step for group in template["steps"] for step in group):
            _check_names([{"name": name} for name in names] + [step], "steps", _FIELD_NAME)
            names.add(step["name"])
            prefix = f"steps.{step['name']}"
            scope |= {f"{prefix}.status", *_items(step)}
            _check_arguments(step.get("arguments") or {}, prefix, empty_allowed=False)
            used = self._check_holder(step, base, (step.get("arguments") or {}) if step.get("templateRef") else None)
            _check_hooks(step.get("hooks"))
            self._check_tags(step, scope)
            scope |= self._outputs(used, prefix, aggregate=_is_fan_out(step))
            self._check_holder(step, base, step.get("arguments") or {})

    def _outputs(self, template: Object | None, prefix: str, *, aggregate: bool, ancestor: bool = False) -> set[str]:
        found = {f"{prefix}.{name}" for name in ("id", "startedAt", "finishedAt", "hostNodeName")}
        if ancestor:
            found.add(f"{prefix}.status")
        if template is None:
            return found
        if any(template.get(kind) for kind in ("container", "containerSet", "script", "data", "http", "plugin")):
            found |= {f"{prefix}.outputs.result", f"{prefix}.exitCode"}
        if template.get("daemon"):
            found.add(f"{prefix}.ip")
        if aggregate:
            found.add(f"{prefix}.outputs.parameters")
        for kind in ("parameters", "artifacts"):
            for output in (template.get("outputs") or {}).get(kind) or ():
                found.add(f"{prefix}.outputs.{kind}.{output['name']}")
                if output.get("globalName"):
                    self.globals.add(f"workflow.outputs.{kind}.{output['globalName']}")
        return found

    def _check_dag(self, template: Object, scope: set[str], base: Base) -> None:
        if template.get("activeDeadlineSeconds") is not None:
            raise RefusedError("activeDeadlineSeconds is only valid for leaf templates")
        tasks: list[Object] = template["dag"].get("tasks") or []
        if not tasks:
            raise RefusedError("must have at least one task")
        _check_names(tasks, "tasks", _FIELD_NAME)
        needed = {task["name"]: dependencies(task) for task in tasks}
        _check_order(needed)
        by_name = {task["name"]: task for task in tasks}
        using_depends = any(task.get("depends") for task in tasks)
        used: dict[str, Object | None] = {}
        for name in in_order(needed):
            task = by_name[name]
            _check_dependencies(task, by_name, using_depends=using_depends)
            arguments = (task.get("arguments") or {}) if task.get("templateRef") is not None else None
            used[name] = self._check_holder(task, base, arguments)
            scope |= self._outputs(used[name], f"tasks.{name}", aggregate=_is_fan_out(task))
        self._check_tags(template["dag"].get("target") or "", scope)
        for target in (template["dag"].get("target") or "").split():
            if target not in by_name and "{{" not in target:
                raise RefusedError(f"target '{target}' is not defined")
        for name in in_order(needed):
            self._check_task(by_name[name], by_name, needed, used, scope, base)

    def _check_task(
        self,
        task: Object,
        by_name: Mapping[str, Object],
        needed: Mapping[str, set[str]],
        used: Mapping[str, Object | None],
        scope: set[str],
        base: Base,
    ) -> None:
        prefix = f"tasks.{task['name']}"
        if task.get("hooks") is not None:
            scope.add(f"{prefix}.status")
        before = ancestors(task["name"], needed)
        own = set(scope)
        for name in before:
            own |= self._outputs(used[name], f"tasks.{name}", aggregate=_is_fan_out(by_name[name]), ancestor=True)
        for parameter in ((task.get("inline") or {}).get("inputs") or {}).get("parameters") or ():
            own.add(f"inputs.parameters.{parameter['name']}")
        own |= _items(task)
        self._check_tags(task, own)
        arguments = task.get("arguments") or {}
        _check_arguments(arguments, f"{prefix}.arguments", empty_allowed=False)
        starts = [any_text(parameter.get("value")) for parameter in arguments.get("parameters") or ()]
        starts += [artifact.get("from") or "" for artifact in arguments.get("artifacts") or ()]
        for text in starts:
            if text.startswith("{{tasks.") and text.split(".")[1] not in before:
                raise RefusedError(f"missing dependency '{text.split('.')[1]}'")
        self._check_holder(task, base, arguments)


def dependencies(task: Object) -> set[str]:
    """Returns the tasks that a task waits for."""
    found = set(task.get("dependencies") or ())
    for match in _DEPENDENCY.finditer(task.get("depends") or ""):
        found.add(match[1] or match[3])
    return found


def ancestors(name: str, needed: Mapping[str, set[str]]) -> set[str]:
    """Returns all tasks before a task."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in needed.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _check_order(needed: Mapping[str, set[str]]) -> None:
    for name, others in needed.items():
        unknown = sorted(others - needed.keys())
        if unknown:
            raise RefusedError(f"sorting failed: invalid dependency {unknown[0]}")
        if name in ancestors(name, needed):
            raise RefusedError(f"dependency cycle at {name}")


def in_order(needed: Mapping[str, set[str]]) -> Iterator[str]:
    done: set[str] = set()
    while len(done) < len(needed):
        for name, others in needed.items():
            if name not in done and others <= done:
                done.add(name)
                yield name


def _check_dependencies(task: Object, by_name: Mapping[str, Object], *, using_depends: bool) -> None:
    name, listed = task["name"], task.get("dependencies") or ()
    if (using_depends or listed) and name[0].isdigit():
        raise RefusedError(f"{name} name cannot begin with a digit when using either 'depends' or 'dependencies'")
    if using_depends and listed:
        raise RefusedError("cannot use both 'depends' and 'dependencies' in the same DAG template")
    if using_depends and task.get("continueOn") is not None:
        raise RefusedError("cannot use 'continueOn' when using 'depends'")
    for match in _DEPENDENCY.finditer(task.get("depends") or ""):
        if match[2] and match[2] not in _RESULTS:
            raise RefusedError(f"task result '{match[2]}' for task '{match[1]}' is invalid")
        if match[2] in _OVER_ITEMS and not loops(by_name[match[1]]):
            raise RefusedError(f"'{match[2]}' needs items")


def loops(task: Object) -> bool:
    return bool(task.get("withItems") or task.get("withParam") or task.get("withSequence") is not None)


def _is_fan_out(task: Object) -> bool:
    return bool(task.get("withItems") or task.get("withParam"))


def _items(task: Object) -> set[str]:
    """Returns the names that `{{item…}}` may use in a task."""
    if sum((bool(task.get("withItems")), bool(task.get("withParam")), task.get("withSequence") is not None)) > 1:
        raise RefusedError("only one of withItems, withParam, withSequence can be specified")
    sequence = task.get("withSequence") or {}
    if sequence.get("count") is not None and sequence.get("end") is not None:
        raise RefusedError("only one of count or end can be defined in withSequence")
    if task.get("withParam"):
        return {"item.*"}
    found: set[str] = set()
    for item in task.get("withItems") or ():
        if isinstance(item, dict):
            found |= {f"item.{key}" for key in item}
        elif isinstance(item, list):
            found |= {f"item.[{index}]" for index in range(len(item))}
    return found


def _check_names(holders: Sequence[Object], what: str, pattern: re.Pattern[str]) -> None:
    names = set()
    for holder in holders:
        name = holder.get("name") or ""
        if pattern.fullmatch(name) is None or (pattern is _FIELD_NAME and len(name) > 128):
            raise RefusedError(f"{what}.name: '{name}' is invalid")
        if name in names:
            raise RefusedError(f"{what}.name '{name}' is not unique")
        names.add(name)


def _check_hooks(hooks: Mapping[str, Object] | None) -> None:
    for name, hook in (hooks or {}).items():
        if name != "exit" and not (hook or {}).get("expression"):
            raise RefusedError(f"{name} Expression required")


def _check_arguments(arguments: Object, what: str, *, empty_allowed: bool) -> None:
    _check_names(arguments.get("parameters") or (), f"{what}.parameters", _PARAMETER_NAME)
    _check_names(arguments.get("artifacts") or (), f"{what}.artifacts", _PARAMETER_NAME)
    for parameter in arguments.get("parameters") or ():
        value, source = parameter.get("value"), parameter.get("valueFrom")
        if value is None and source is None and not empty_allowed:
            raise RefusedError(f"{what}.{parameter['name']}.value or valueFrom is required")
        if source is not None and (
            not any(source.get(key) is not None for key in ("configMapKeyRef", "event", "supplied"))
            or any(source.get(key) for key in ("path", "jsonPath", "parameter", "expression"))
        ):
            raise RefusedError("valueFrom only allows: default, configMapKeyRef and supplied")
        choices = parameter.get("enum")
        if choices == []:
            raise RefusedError("enum should contain at least one value")
        if choices and (value is not None or not empty_allowed) and value not in choices:
            raise RefusedError("value should be present in enum list")
    for artifact in arguments.get("artifacts") or ():
        if not artifact.get("from") and not _has_location(artifact):  # fromExpression alone is rejected too
            raise RefusedError(f"{what}.{artifact['name']}.from, artifact location, or key is required")
        if artifact.get("from") and artifact.get("fromExpression"):
            raise RefusedError("shouldn't have both from and fromExpression")


_LOCATIONS = ("artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw", "s3")


def _has_location(artifact: Object) -> bool:
    return any(artifact.get(key) is not None for key in _LOCATIONS)


def _check_inputs(template: Object, kind: str) -> set[str]:
    inputs = template.get("inputs") or {}
    _check_names(inputs.get("parameters") or (), "inputs.parameters", _PARAMETER_NAME)
    _check_names(inputs.get("artifacts") or (), "inputs.artifacts", _PARAMETER_NAME)
    scope = {f"inputs.parameters.{parameter['name']}" for parameter in inputs.get("parameters") or ()}
    if scope:
        scope.add("inputs.parameters")
    for artifact in inputs.get("artifacts") or ():
        scope |= {f"inputs.artifacts.{artifact['name']}", f"inputs.artifacts.{artifact['name']}.path"}
        _check_path(artifact, kind)
        if artifact.get("from"):
            raise RefusedError("from not valid in inputs")
        if artifact.get("git") is not None and not artifact["git"].get("repo"):
            raise RefusedError("git.repo is required")
    return scope


def _check_path(artifact: Object, kind: str) -> None:
    path = artifact.get("path") or ""
    if kind not in LEAVES and path:
        raise RefusedError("path only valid in container/script templates")
    if ".." in path.split("/"):
        raise RefusedError("Directory traversal is not permitted")


def _own_outputs(template: Object, kind: str) -> Iterator[str]:
    outputs = template.get("outputs") or {}
    if kind not in LEAVES:
        return
    for artifact in outputs.get("artifacts") or ():
        if artifact.get("path"):
            yield f"outputs.artifacts.{artifact['name']}.path"
    for parameter in outputs.get("parameters") or ():
        if (parameter.get("valueFrom") or {}).get("path"):
            yield f"outputs.parameters.{parameter['name']}.path"


def _check_outputs(template: Object, kind: str) -> None:
    outputs = template.get("outputs") or {}
    _check_names(outputs.get("parameters") or (), "outputs.parameters", _PARAMETER_NAME)
    _check_names(outputs.get("artifacts") or (), "outputs.artifacts", _PARAMETER_NAME)
    for output in (*(outputs.get("parameters") or ()), *(outputs.get("artifacts") or ())):
        if output.get("globalName") and _PARAMETER_NAME.fullmatch(output["globalName"]) is None:
            raise RefusedError("globalName: Parameter/Artifact name must consist of alpha-numeric characters")
    for artifact in outputs.get("artifacts") or ():
        _check_path(artifact, kind)
    for parameter in outputs.get("parameters") or ():
        _check_output_parameter(parameter, kind)


def _check_output_parameter(parameter: Object, kind: str) -> None:
    source = parameter.get("valueFrom")
    if (source is None) == (parameter.get("value") is None):
        raise RefusedError(f"{parameter['name']} must have one of valueFrom and value")
    if source is None:
        return
    given = [key for key in ("path", "jqFilter", "jsonPath", "parameter", "expression") if source.get(key)]
    given += ["supplied"] if source.get("supplied") is not None else []
    if len(given) != 1:
        raise RefusedError(f"valueFrom type: {given or 'unspecified'}")
    wanted: dict[str, tuple[str, ...]] = {
        **dict.fromkeys(("container", "containerSet", "script"), ("path",)),
        "resource": ("jqFilter", "jsonPath"),
        **dict.fromkeys(("dag", "steps"), ("parameter", "expression")),
    }
    if kind in wanted and given[0] not in wanted[kind]:
        raise RefusedError(f"{' or '.join(wanted[kind])} must be specified for {kind} templates")


def _check_containers(template: Object) -> None:
    if any(not container.get("name") for container in template.get("initContainers") or ()):
        raise RefusedError("initContainers must all have container name")
    for container in template.get("sidecars") or ():
        if container.get("name") in ("wait", "init"):
            raise RefusedError(f"sidecars: {container['name']!r} is a reserved Argo container name")


def _check_container_set(template: Object) -> None:
    containers = template["containerSet"].get("containers") or []
    names = [container.get("name") for container in containers]
    if not names or len(set(names)) != len(names) or {"wait", "init"} & set(names):
        raise RefusedError("containerSet.containers: names must be unique and not reserved")
    _check_order({container["name"]: set(container.get("dependencies") or ()) for container in containers})
    inputs, outputs = template.get("inputs") or {}, template.get("outputs") or {}
    moved = inputs.get("artifacts") or outputs.get("parameters") or outputs.get("artifacts")
    if moved and "main" not in names:
        raise RefusedError('containerSet.containers must have a container named "main" for input or output')


def _check_resource(template: Object) -> None:
    resource = template["resource"]
    action, manifest, source = resource.get("action") or "", resource.get("manifest"), resource.get("manifestFrom")
    if "{{" not in action and action not in ("get", "create", "apply", "delete", "replace", "patch"):
        raise RefusedError("resource.action must be one of: get, create, apply, delete, replace, patch")
    if action in ("get", "delete"):
        return
    if bool(manifest) == (source is not None):
        raise RefusedError("one of manifest and manifestFrom must be specified")
    if source is not None:
        artifacts = (template.get("inputs") or {}).get("artifacts") or ()
        if source.get("artifact") and source["artifact"]["name"] not in {artifact["name"] for artifact in artifacts}:
            raise RefusedError("artifact in `manifestFrom` refer to a non-exist artifact")
        return
    assert isinstance(manifest, str)
    try:
        read(re.sub(r"\{\{.*?\}\}", "placeholder", manifest))
    except NotYamlError:
        raise RefusedError("resource.manifest must be a valid yaml") from None


def _check_metrics(template: Object) -> None:
    for metric in (template.get("metrics") or {}).get("prometheus") or ():
        labels = [label.get("key") or "" for label in metric.get("labels") or ()]
        if any(_METRIC_NAME.fullmatch(name) is None for name in (metric.get("name") or "", *labels)):
            raise RefusedError("metric names must contain alphanumeric characters or '_'")
        if not metric.get("help"):
            raise RefusedError("metric must contain a help string")
        if (metric.get("gauge") or {}).get("realtime") and any(
            not tag.strip().startswith(("duration", "outputs.", "workflow.duration"))
            for tag in _simple_tags(metric["gauge"].get("value") or "")
        ):
            raise RefusedError("realtime metrics can only be used with duration")


def _simple_tags(value: object) -> Iterator[str]:
    """Returns the tags of a value as Argo finds them, in its JSON text."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for match in re.finditer(r"\{\{(.*?)\}\}", text, re.DOTALL):
        if not match[1].startswith("="):
            yield match[1]


def any_text(value: object) -> str:
    """Returns a parameter's value as text."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


# ----------------------------------------------------------------------------------------------------------------- cron

_CRON_FIELDS = ((0, 59, ""), (0, 23, ""), (1, 31, ""), (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
                (0, 6, "sun mon tue wed thu fri sat"))  # fmt: skip
_CRON_WORDS = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))


def _check_cron(spec: Object) -> None:
    schedules = spec.get("schedules") or ()
    if not schedules:
        raise RefusedError("cron workflow must have at least one schedule")
    for schedule in schedules:
        if not _is_schedule(schedule):
            raise RefusedError(f"cron schedule {schedule} is malformed")
    zone = spec.get("timezone") or "UTC"
    if zone != "Local" and zone not in zoneinfo.available_timezones():
        raise RefusedError(f"invalid timezone {zone!r}")
    if spec.get("concurrencyPolicy") not in (None, "", "Allow", "Forbid", "Replace"):
        raise RefusedError(f"'{spec['concurrencyPolicy']}' is not a valid concurrencyPolicy")
    if (spec.get("startingDeadlineSeconds") or 0) < 0:
        raise RefusedError("startingDeadlineSeconds must be positive")


def _is_schedule(text: str) -> bool:
    zone = re.match(r"(?:CRON_)?TZ=(\S+)\s+", text)
    if zone is not None:
        if zone[1] not in zoneinfo.available_timezones():
            return False
        text = text[zone.end() :]
    if text.startswith("@every "):
        return DURATION.fullmatch(text[len("@every ") :]) is not None
    if text.startswith("@"):
        return text in _CRON_WORDS
    parts = text.split()
    return len(parts) == len(_CRON_FIELDS) and all(
        _is_cron_range(piece, *bounds)
        for part, bounds in zip(parts, _CRON_FIELDS, strict=True)
        for piece in part.split(",")
    )


def _is_cron_range(piece: str, least: int, most: int, names: str) -> bool:
    span, slash, step = piece.partition("/")
    if slash and not (step.isdigit() and int(step) > 0):
        return False
    low, dash, high = span.partition("-")
    if low in ("*", "?"):
        return not dash
    words = {word: least + index for index, word in enumerate(names.split())}
    numbers = [
        words.get(text.lower(), int(text) if text.isdigit() else -1) for text in ((low, high) if dash else (low,))
    ]
    return all(least <= number <= most for number in numbers) and numbers == sorted(numbers)
