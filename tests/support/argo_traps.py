"""Finds what lint accepts but the workflow controller cannot run.

It ignores problems that depend on other objects of the cluster, or on pods that fail.

Source: argo-workflows v4.1.2, its controller run on 680 manifests; render/test_argo_as_run.py uses the recorded ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

from argo_as_run import (
    DURATION,
    Base,
    Document,
    Object,
    RefusedError,
    ancestors,
    any_text,
    dependencies,
    documents,
    in_order,
    library_of,
    loops,
)

from kftune.katib.go.reading import NotYamlError, read


class Trap(NamedTuple):
    """How the controller fails on something that lint accepts."""

    phase: str
    """`Failed` or `Error`; `Running`: it hangs; `Wrong`: it runs with values other than the written ones."""
    why: str


def traps(text: str) -> list[Trap]:
    """Returns the problems that the controller would have with what lint accepts."""
    found = documents(text)
    try:
        library = library_of(found)
    except RefusedError:
        library = {}
    result: list[Trap] = []
    for document in found:
        if document.kind in ("Workflow", "CronWorkflow"):
            reference = document.spec.get("workflowTemplateRef")
            base = Base("local", document.spec, document.place[0])
            if reference is not None:
                cluster = bool(reference.get("clusterScope"))
                key = ("" if cluster else document.place[0], reference.get("name") or "", cluster)
                base = Base("", library.get(key, {}), document.place[0])
            result += _spec_traps(document, base)
        else:
            base = Base("local", document.spec, document.place[0])
        result += _shared_traps(document.spec)
        for template in base.spec.get("templates") or ():
            result += _template_traps(template, base)
    return result


def _spec_traps(document: Document, base: Base) -> Iterator[Trap]:
    spec, metadata = document.spec, document.value.get("metadata") or {}
    if len(metadata.get("generateName") or "") > 58:
        yield Trap("Failed", "the workflow's name gets more than 63 characters")
    given = {parameter["name"] for parameter in (spec.get("arguments") or {}).get("parameters") or ()}
    theirs = (base.spec.get("arguments") or {}).get("parameters") or ()
    parameters = [*((spec.get("arguments") or {}).get("parameters") or ())]
    for parameter in parameters + [parameter for parameter in theirs if parameter["name"] not in given]:
        source = parameter.get("valueFrom")
        if parameter.get("value") is None and (source is None or source.get("supplied") is not None):
            yield Trap("Failed", f"parameter {parameter['name']} has no value")


def _shared_traps(spec: Object) -> Iterator[Trap]:
    for parameter in (spec.get("arguments") or {}).get("parameters") or ():
        if isinstance(parameter.get("value"), (list, dict)):
            yield Trap("Wrong", f"parameter {parameter['name']}: a list or map becomes an empty text")
    if spec.get("parallelism") is not None and spec["parallelism"] <= 0:
        yield Trap("Running", f"parallelism {spec['parallelism']} starts no pod")
    if spec.get("activeDeadlineSeconds") is not None and spec["activeDeadlineSeconds"] <= 0:
        yield Trap("Failed", "the deadline is over immediately")
    for name, hook in (spec.get("hooks") or {}).items():
        if Base("", spec, "").template(hook.get("template") or "") is None and not hook.get("templateRef"):
            yield Trap("Error", f"hook {name}: template {hook.get('template')} not found")
    for claim in spec.get("volumeClaimTemplates") or ():
        if not (claim.get("metadata") or {}).get("name"):
            yield Trap("Error", "volumeClaimTemplates: a name is required")
    yield from _token_traps(spec)


def _token_traps(holder: Object) -> Iterator[Trap]:
    if holder.get("automountServiceAccountToken") is False and not (holder.get("executor") or {}).get(
        "serviceAccountName"
    ):
        yield Trap("Error", "executor.serviceAccountName must not be empty if automountServiceAccountToken is false")


def _template_traps(template: Object, base: Base) -> Iterator[Trap]:
    name = template.get("name") or "inline"
    memoize = template.get("memoize")
    if memoize is not None and (not memoize.get("key") or memoize.get("cache") is None):
        yield Trap("Error", f"{name}: memoize without key or cache")
    durations = [
        template.get("timeout"),
        (template.get("suspend") or {}).get("duration"),
        (memoize or {}).get("maxAge"),
    ]
    for text in durations:
        if text and "{{" not in text and DURATION.fullmatch(text) is None and not text.isdigit():
            yield Trap("Error", f"{name}: invalid duration {text!r}")
    if template.get("parallelism") is not None and template["parallelism"] <= 0:
        yield Trap("Running", f"{name}: parallelism {template['parallelism']} starts no pod")
    if template.get("podSpecPatch") and "{{" not in template["podSpecPatch"]:
        try:
            read(template["podSpecPatch"])
        except NotYamlError:
            yield Trap("Error", f"{name}: Error applying PodSpecPatch")
    yield from _token_traps(template)
    yield from _container_traps(template, base)
    yield from _retry_traps(template)
    if template.get("dag") is not None:
        yield from _dag_traps(template, base)


def _container_traps(template: Object, base: Base) -> Iterator[Trap]:
    name = template.get("name") or "inline"
    volumes = [*(template.get("volumes") or ()), *(base.spec.get("volumes") or ())]
    known = {volume.get("name") for volume in volumes}
    known |= {(claim.get("metadata") or {}).get("name") for claim in base.spec.get("volumeClaimTemplates") or ()}
    for container in (template.get("container"), *(template.get("sidecars") or ())):
        if container is None:
            continue
        if not container.get("command"):
            yield Trap("Error", f"{name}: without a command the controller looks the image up")
        for mount in container.get("volumeMounts") or ():
            if mount.get("name") not in known:
                yield Trap("Error", f"{name}: volume {mount.get('name')!r} not found in workflow spec")


def _retry_traps(template: Object) -> Iterator[Trap]:
    strategy = template.get("retryStrategy") or {}
    limit, backoff = strategy.get("limit"), strategy.get("backoff") or {}
    if limit is not None and "{{" not in str(limit) and not str(limit).isdigit():
        yield Trap("Error", f"{template.get('name')}: retry limit {limit!r} is not a whole number of 0 or more")
    for key in ("duration", "maxDuration", "cap"):
        text = backoff.get(key)
        if text and "{{" not in text and DURATION.fullmatch(text) is None and not text.isdigit():
            yield Trap("Error", f"{template.get('name')}: invalid backoff {text!r}")


_REFERENCE = re.compile(r"tasks(?:\.([-a-zA-Z0-9]+)|\[['\"]([^'\"]+)['\"]\])\.?(outputs\.[.\w-]+|status|exitCode|id)?")
_EXPRESSION = re.compile(r"\{\{\s*=(.*?)\}\}", re.DOTALL)
_TAG = re.compile(r"\{\{(?!=)(.*?)\}\}", re.DOTALL)


def _dag_traps(template: Object, base: Base) -> Iterator[Trap]:
    tasks: list[Object] = template["dag"].get("tasks") or []
    by_name = {task["name"]: task for task in tasks}
    needed = {name: dependencies(task) for name, task in by_name.items()}
    for task in tasks:
        yield from _reference_traps(task, by_name, needed)
        yield from _loop_traps(task)
        yield from _when_traps(task)
        yield from _depends_traps(task)
        if task.get("inline") is not None:
            yield from _template_traps(task["inline"], base)
    for output in (template.get("outputs") or {}).get("parameters") or ():
        for reference in _references("{{=" + ((output.get("valueFrom") or {}).get("expression") or "") + "}}"):
            if reference.task not in by_name:
                yield Trap("Running", f"output {output['name']}: no task {reference.task}")
    yield from _absences(by_name, needed, base)


class _Reference(NamedTuple):
    task: str
    rest: str
    has_default: bool


def _references(text: str) -> Iterator[_Reference]:
    for pattern, defaults in ((_EXPRESSION, True), (_TAG, False)):
        for tag in pattern.findall(text):
            for match in _REFERENCE.finditer(tag):
                yield _Reference(match[1] or match[2], match[3] or "", defaults and "??" in tag)


def _texts(task: Object) -> Iterator[tuple[str, str]]:
    """Yields the places where a task may refer to others: name and text of each."""
    yield "when", task.get("when") or ""
    yield "withParam", task.get("withParam") or ""
    for parameter in (task.get("arguments") or {}).get("parameters") or ():
        yield parameter["name"], any_text(parameter.get("value"))
    for artifact in (task.get("arguments") or {}).get("artifacts") or ():
        yield artifact["name"], artifact.get("from") or ""


def _reference_traps(task: Object, by_name: Mapping[str, Object], needed: Mapping[str, set[str]]) -> Iterator[Trap]:
    before = ancestors(task["name"], needed)
    for place, text in _texts(task):
        for reference in _references(text):
            if reference.task not in by_name:
                yield Trap("Running" if place == "when" else "Error", f"{task['name']}: no task {reference.task}")
            elif reference.task not in before:
                yield Trap("Running", f"{task['name']}: {place} waits for {reference.task}, which is not in depends")
            elif reference.rest == "outputs.result":
                yield Trap("Running", f"{task['name']}: the result of {reference.task} is not kept")
            elif reference.rest.startswith("outputs.artifacts") and loops(by_name[reference.task]):
                yield Trap("Error", f"{task['name']}: artifact of the loop {reference.task}")
    for parameter in (task.get("arguments") or {}).get("parameters") or ():
        if isinstance(parameter.get("value"), (list, dict)):
            yield Trap("Wrong", f"{task['name']}: {parameter['name']}: a list or map becomes an empty text")


def _absences(by_name: Mapping[str, Object], needed: Mapping[str, set[str]], base: Base) -> Iterator[Trap]:
    """Yields outputs that are missing when a task needs them: the producer was skipped, or its loop was empty."""
    found = set()
    for states in _outcomes(by_name, needed):
        for name, task in by_name.items():
            if states[name] == "Omitted":
                continue
            for place, text in _texts(task):
                if states[name] == "Skipped" and place not in ("when", "withParam"):
                    continue
                for reference in _references(text):
                    gone = states.get(reference.task) in ("Skipped", "Omitted")
                    if gone and not _is_covered(task, by_name[reference.task], place, text, reference, base):
                        found.add(f"{name}: {place} has nothing when {reference.task} is skipped")
    for why in sorted(found):
        yield Trap("Error", why)


# More conditions would take too long.
_MOST_CONDITIONS = 8


def _outcomes(by_name: Mapping[str, Object], needed: Mapping[str, set[str]]) -> Iterator[Mapping[str, str]]:
    """Yields the possible ends of the tasks when none fails, for each result of conditions and loops."""
    if any(others - by_name.keys() or name in ancestors(name, needed) for name, others in needed.items()):
        return
    open_ones = [name for name, task in by_name.items() if _may_be_skipped(task)][:_MOST_CONDITIONS]
    for skipped in product((False, True), repeat=len(open_ones)):
        choice = dict(zip(open_ones, skipped, strict=True))
        states: dict[str, str] = {}
        for name in in_order(needed):
            task = by_name[name]
            if not is_met(task, states):
                states[name] = "Omitted"
            else:
                states[name] = "Skipped" if choice.get(name) else "Succeeded"
        yield states


def _may_be_skipped(task: Object) -> bool:
    return bool(task.get("when")) or "{{" in (task.get("withParam") or "") or task.get("withParam") == "[]"


def is_met(task: Object, states: Mapping[str, str]) -> bool:
    """Whether a task may start when the tasks before it have ended."""
    text = task.get("depends") or " && ".join(task.get("dependencies") or ())
    tokens = re.findall(r"[-\w.]+|&&|\|\||[()!]", text)
    return not tokens or _either(tokens, states)


def _either(tokens: list[str], states: Mapping[str, str]) -> bool:
    value = _both(tokens, states)
    while tokens and tokens[0] == "||":
        tokens.pop(0)
        value = _both(tokens, states) or value
    return value


def _both(tokens: list[str], states: Mapping[str, str]) -> bool:
    value = _single(tokens, states)
    while tokens and tokens[0] == "&&":
        tokens.pop(0)
        value = _single(tokens, states) and value
    return value


def _single(tokens: list[str], states: Mapping[str, str]) -> bool:
    word = tokens.pop(0) if tokens else ""
    if word == "!":
        return not _single(tokens, states)
    if word == "(":
        value = _either(tokens, states)
        tokens[:1] = []
        return value
    name, _, wanted = word.partition(".")
    if wanted in ("AnySucceeded", "AllFailed"):
        wanted = {"AnySucceeded": "Succeeded", "AllFailed": "Failed"}[wanted]
    return states.get(name) in ((wanted,) if wanted else ("Succeeded", "Skipped"))


def _is_covered(task: Object, producer: Object, place: str, text: str, reference: _Reference, base: Base) -> bool:
    """Whether a missing output has a replacement."""
    if not reference.rest.startswith("outputs."):
        return True
    kind, _, name = reference.rest.removeprefix("outputs.").partition(".")
    made, used = base.template(producer.get("template") or ""), base.template(task.get("template") or "")
    wanted = _named((used or {}).get("inputs"), kind, place)
    if kind == "artifacts":
        return bool(_named(task.get("arguments"), kind, place).get("optional") and wanted.get("optional"))
    source = _named((made or {}).get("outputs"), kind, name).get("valueFrom") or {}
    if reference.has_default or (source.get("default") is not None and not loops(producer)):
        return True
    plain = text.strip() == f"{{{{tasks.{reference.task}.{reference.rest}}}}}"
    return (
        plain
        and place not in ("when", "withParam")
        and any(wanted.get(key) is not None for key in ("default", "value"))
    )


def _named(holder: Object | None, kind: str, name: str) -> Object:
    found: Object = next((item for item in (holder or {}).get(kind) or () if item["name"] == name), {})
    return found


def _loop_traps(task: Object) -> Iterator[Trap]:
    if task.get("withItems") == []:
        yield Trap("Wrong", f"{task['name']}: withItems: [] runs once with the text {{{{item}}}}")
    text = task.get("withParam") or ""
    if text and "{{" not in text:
        try:
            items = json.loads(text)
        except ValueError:
            items = None
        if not isinstance(items, list):
            yield Trap("Error", f"{task['name']}: withParam is not a JSON list")
    if not loops(task) and "{{item" in json.dumps(task.get("arguments") or {}):
        yield Trap("Wrong", f"{task['name']}: {{{{item}}}} outside of a loop")


_WHEN_TOKEN = re.compile(
    r"\s*(?:(?P<operand>'[^']*'|\"[^\"]*\"|\[[^\]]*\]|[\w.]+)|(?P<operator>==|!=|>=|<=|=~|!~|&&|\|\||[<>+*/%-])"
    r"|(?P<other>[()!,]))"
)


def _when_traps(task: Object) -> Iterator[Trap]:
    """Yields conditions that the evaluator cannot parse; a tag counts as one word."""
    when = _EXPRESSION.sub("1", task.get("when") or "")
    if when and when != task.get("when") and _TAG.sub("", when).strip() == "1":
        return
    text, place, last = _TAG.sub("1", when).rstrip(), 0, "operator"
    while place < len(text):
        match = _WHEN_TOKEN.match(text, place)
        kind = "" if match is None else "operator" if match[0].strip() == "in" else str(match.lastgroup)
        if match is None or (kind == last and kind != "other"):
            yield Trap("Error", f"{task['name']}: when {task['when']!r} cannot be read")
            return
        last, place = ("operator" if match[0].strip() in "(!,)" and match[0].strip() != ")" else kind), match.end()
        if match[0].strip() == ")":
            last = "operand"


def _depends_traps(task: Object) -> Iterator[Trap]:
    text = task.get("depends") or ""
    if text and re.fullmatch(r"(?:[-\w.]+|&&|\|\||[()!]|\s)+", text) is None:
        yield Trap("Error", f"{task['name']}: depends {text!r} cannot be read")
    if re.search(r"(?:&&|\|\|)\s*(?:\)|$)", text):
        yield Trap("Error", f"{task['name']}: depends {text!r} cannot be read")
