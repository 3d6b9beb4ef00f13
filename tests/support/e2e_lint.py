"""The examples of lint's pages, adapted to a cluster: what they need there, which of them it can run, and how.

An example changes as little as the cluster demands, by the steps of STEPS in this order. A step that takes away what
the page is about (lint no longer reports the rule in the same way) is left out. An example that would need more than
these steps isn't run; `Page.left` says why.
"""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from lint_examples import example_text

from kftune import yaml_text
from kftune.katib.admission.cluster import Cluster
from kftune.katib.go.reading import read
from kftune.lint.experiment import check_experiment
from kftune.lint.rules.all import RULES
from kftune.lint.rules.example import PLAIN, container
from kftune.lint.rules.rule import Finding, Severity
from kftune.lint.sources import SourceText, documents

SERVED = ("random", "tpe", "cmaes", "sobol")
"""The algorithms in the cluster's katib-config. goptuna's service serves all of them."""
OWN = ("cmaes", "sobol")
"""The algorithms that goptuna serves on every cluster: what lint says about them holds here."""
OUTCOMES: Mapping[Severity, str] = {
    "refused": "refused",
    "fails": "fails",
    "hangs": "hangs",
    "wrong": "completes",
    "advice": "completes",
}
"""Severity of a page -> what a cluster does with its example."""
_TRAIN = """\
import json, os, sys, time

print(f"argv {json.dumps(sys.argv[1:])}\\n", end="", flush=True)  # in one piece: the collector reads along
time.sleep(5)  # the collector finds only programs that still run when it starts
line = os.environ["METRIC_LINE"] + "\\n"
print(line, end="", flush=True)
if "METRICS_FILE" in os.environ:
    open(os.environ["METRICS_FILE"], "a").write(line)
"""
SCRIPTS = {"train.py": _TRAIN, "prepare.py": "print('prepared')\n"}
"""The programs that the examples start; they train nothing."""
SCRIPT_MAP = "train-py"

FORMS = ("fails", "passes")
_NO_EXAMPLE = "the page has no example"
_NO_OBJECT = "a file of kftune, which no cluster holds"
_TABLE = {
    "KT215": "the setting is one of Katib's random, a Python service that the cluster does not have",
    "KT235": "it stops after thousands of trials",
    "KT249": "its collector's image comes from a registry, and the cluster has none",
    "KT280": "its image comes from a registry, and the cluster has none",
    "KT305": "its image comes from a registry, and the cluster has none",
}
"""Rule -> why its example isn't run, where no general reason says so."""


_POD = "spec: {trialTemplate: {trialSpec: {spec: {template: {spec: {FIELDS}}}}}}"
_SPEC = "spec: {FIELDS}"
_FOLDER = "algorithm: {algorithmName: sobol, algorithmSettings: [{name: suggestion_trial_dir, value: /opt/katib/data}]}"
_SIDECAR = (
    "initContainers: [{name: side, image: 'registry.example/side:1', restartPolicy: Always, "
    "command: [sleep, infinity], securityContext: {runAsNonRoot: true}}]"
)
_READ = {"KT100": "Inf", "KT101": "v1alpha3"}
"""Rule -> what kubectl names of an object that it cannot read or does not know."""


def _script_of(shell: str, script: str) -> str:
    command = f"command: [{shell}, -c], args: ['{script}']"
    return container(command.replace("TRAIN", "python train.py ${trialParameters.lr} ${trialParameters.units}"))


FURTHER = {
    "host-processes": ("KT277", _POD.replace("FIELDS", "hostPID: true")),
    "root-user": ("KT279", _POD.replace("FIELDS", "securityContext: {runAsNonRoot: true, runAsUser: 0}")),
    "root-container": (
        "KT280",
        container(PLAIN).replace("{runAsNonRoot: true}", "{runAsNonRoot: true, runAsUser: 0}"),
    ),
    "node-names": ("KT282", _POD.replace("FIELDS", "dnsPolicy: Default")),
    "no-pods": ("KT276", "spec: {trialTemplate: {trialSpec: {spec: {parallelism: 0}}}}"),
    "nothing-to-complete": ("KT276", "spec: {trialTemplate: {trialSpec: {spec: {completions: 0}}}}"),
    "own-priority": ("KT277", _POD.replace("FIELDS", "priority: 5")),
    "no-volume": ("KT265", _SPEC.replace("FIELDS", _FOLDER)),
    "endless-init": ("KT236", _POD.replace("FIELDS", _SIDECAR)),
    "empty-script": ("KT255", RULES["KT255"].fails.replace("command: [sh]", "command: [sh, -c], args: [' ']")),
    "cut-filter": ("KT241", r"spec: {metricsCollectorSpec: {source: {filter: {metricsFormat: ['(\w+;)=(\S+)']}}}}"),
    "cut-addition": ("KT244", "spec: {objective: {additionalMetricNames: ['a;b']}}"),
    "silent-end": ("KT252", _script_of("sh", "TRAIN; echo done")),
    "speaking-end": ("KT252", _script_of("sh", "TRAIN; echo val_loss=$(cat train.py | wc -l)")),
    "nested-and": ("KT250", _script_of("/bin/sh", "cd /tmp && TRAIN")),
    "background": ("KT252", _script_of("sh", "TRAIN &")),
}
"""Name -> a rule and another change of the example that it reports: what its page says beside its example."""


class Page(NamedTuple):
    """A rule's page on the cluster."""

    code: str
    severity: Severity
    fails: dict[str, Any] | None = None
    """The Experiment to run; None if it isn't run."""
    passes: dict[str, Any] | None = None
    """The Experiment of "This passes", or the example itself."""
    left: str = ""
    """Why nothing is run."""

    @property
    def expected(self) -> str:
        """What the cluster does with the example."""
        return OUTCOMES[self.severity]


def example(code: str, form: str = "fails") -> dict[str, Any]:
    """Returns the Experiment of a page as it is written there; `form` is fails or passes."""
    found: dict[str, Any] = read_any(example_text(getattr(RULES[code], form)))
    return found


def read_any(text: str) -> Any:
    """Reads YAML; one page has an infinity, which kubectl's reader refuses."""
    return yaml_text.load(text) if ".inf" in text else read(text)


@cache
def pages() -> tuple[Page, ...]:
    """Returns all pages in the order of their codes."""
    return tuple(_page(code) for code in RULES)


def _page(code: str) -> Page:
    rule = RULES[code]
    if code.startswith(("KT4", "KT5")):
        return Page(code, rule.severity, left=_NO_OBJECT)
    if not rule.fails:
        return Page(code, rule.severity, left=_NO_EXAMPLE)
    given = example(code)
    if rule.severity == "refused":
        return Page(code, rule.severity, given, example(code, "passes"))
    left = _TABLE.get(code) or _lacking(given)
    adapted = None if left else _adapted(given, (code, rule.severity))
    if adapted is None:
        algorithm = given["spec"]["algorithm"]["algorithmName"]
        left = left or f"it is about {algorithm}, a Python service that the cluster does not have"
        return Page(code, rule.severity, left=left)
    return Page(code, rule.severity, adapted, _adapted(example(code, "passes"), None))


@cache
def further() -> Mapping[str, Page]:
    """Returns further cases of some rules, by name; the severity is that of lint's finding."""
    found = {}
    for name, (code, change) in FURTHER.items():
        given: dict[str, Any] = read_any(example_text(change))
        severity: Any = severity_of(given, code)
        found[name] = Page(code, severity, _adapted(given, (code, severity)))
    return found


def _lacking(given: Mapping[str, Any]) -> str:
    spec = given["spec"]
    kind = spec["trialTemplate"]["trialSpec"]["kind"]
    if kind not in ("Job", "Workflow"):
        return f"the cluster has no {kind}"
    if "earlyStopping" in spec:
        return "the cluster has no service for early stopping"
    return ""


def lacks_service(given: Mapping[str, Any]) -> bool:
    """Returns whether the webhook refuses an Experiment because the cluster has no service for it."""
    spec = given["spec"]
    return "earlyStopping" in spec or spec["algorithm"]["algorithmName"] not in SERVED


# ---------------------------------------------------------------------------------------------------------- adaptation


def _adapted(given: dict[str, Any], about: tuple[str, str] | None) -> dict[str, Any] | None:
    """Returns the Experiment that the cluster runs; None if there is none that the rule still reports.

    Args:
        given: The example.
        about: The rule that must go on reporting it, with its severity; None for an example that passes.
    """
    for change in (_no_settings, _kept_settings):
        found = copy.deepcopy(given)
        if found["spec"]["algorithm"]["algorithmName"] not in OWN:
            change(found["spec"])
        if _is_about(found, about):
            break
    else:
        return None
    for step in STEPS:
        changed = copy.deepcopy(found)
        step(changed)
        if _is_about(changed, about):
            found = changed
    return found


def _is_about(given: dict[str, Any], about: tuple[str, str] | None) -> bool:
    return about is None or severity_of(given, about[0]) == about[1]


def severity_of(given: dict[str, Any], code: str) -> str | None:
    """Returns the severity with which lint reports a rule; None if it doesn't."""
    return next((each.severity for each in _findings(yaml_text.dump(given)) if each.code == code), None)


def named_part(code: str) -> str:
    """Returns the part of a refused example that lint's finding names: a field, or what is written there."""
    found = next(each for each in _findings(example_text(RULES[code].fails)) if each.code == code)
    field = found.message.partition(":")[0]
    if field.startswith(("spec", "metadata")):
        return field
    return _READ.get(code) or ".".join(part for part in found.path if isinstance(part, str))


def _findings(text: str) -> tuple[Finding, ...]:
    (found,) = documents(SourceText("x.yaml", text, named=True))
    return check_experiment(found, Cluster(), "0.19").findings


def _no_settings(spec: dict[str, Any]) -> None:
    spec["algorithm"] = {"algorithmName": "sobol"}


def _kept_settings(spec: dict[str, Any]) -> None:
    spec["algorithm"]["algorithmName"] = "sobol"


def _few_trials(experiment: dict[str, Any]) -> None:
    experiment["spec"] |= {"maxTrialCount": 1, "parallelTrialCount": 1, "maxFailedTrialCount": 1}


def _one_at_a_time(experiment: dict[str, Any]) -> None:
    experiment["spec"]["parallelTrialCount"] = 1


def _no_volume(experiment: dict[str, Any]) -> None:
    experiment["spec"].pop("resumePolicy", None)  # FromVolume needs storage, which the cluster has none of


def _kept_pods(experiment: dict[str, Any]) -> None:
    experiment["spec"]["trialTemplate"]["retain"] = True


def _image(experiment: dict[str, Any]) -> None:
    for each in [*_pod(experiment).get("initContainers", []), *_containers(experiment)]:
        each["image"] = TRAIN_IMAGE


def _small_requests(experiment: dict[str, Any]) -> None:
    for each in _containers(experiment):
        each.setdefault("resources", {}).setdefault("requests", {"cpu": "50m", "memory": "64Mi"})


def _script(experiment: dict[str, Any]) -> None:
    spec = experiment["spec"]
    collecting = spec.get("metricsCollectorSpec", {})
    source = collecting.get("source", {})
    filters = source.get("filter", {}).get("metricsFormat", [])
    end = ";" if any(text.endswith((";", r"\x3b")) for text in filters) else ""
    variables = {"METRIC_LINE": f"{spec['objective']['objectiveMetricName']}=0.005{end}"}
    if collecting.get("collector", {}).get("kind") == "File":
        variables["METRICS_FILE"] = source["fileSystemPath"]["path"]
    first, pod = _containers(experiment)[0], _pod(experiment)
    first.setdefault("env", []).extend({"name": name, "value": text} for name, text in variables.items())
    mounts = [{"name": SCRIPT_MAP, "mountPath": f"/home/app/{name}", "subPath": name} for name in SCRIPTS]
    first.setdefault("volumeMounts", []).extend(mounts)
    pod.setdefault("volumes", []).append({"name": SCRIPT_MAP, "configMap": {"name": SCRIPT_MAP}})


TRAIN_IMAGE = "registry.example/kftune-e2e-train:stand-in"
"""Stands for the image that the cluster holds, until `named`."""
STEPS: tuple[Callable[[dict[str, Any]], None], ...] = (
    _few_trials,
    _one_at_a_time,
    _no_volume,
    _kept_pods,
    _image,
    _small_requests,
    _script,
)


def _pod(experiment: Mapping[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    return pod


def _containers(experiment: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _pod(experiment)["containers"]
    return found


def named(experiment: dict[str, Any], name: str, image: str | None = None) -> dict[str, Any]:
    """Returns the Experiment under another name, with the image that the cluster holds."""
    text = json.dumps({**experiment, "metadata": {**experiment["metadata"], "name": name}})
    found: dict[str, Any] = json.loads(text.replace(TRAIN_IMAGE, image) if image else text)
    return found


# ------------------------------------------------------------------------------------------- what the program is told


def asked_arguments(experiment: Mapping[str, Any], assignments: Mapping[str, str]) -> list[str]:
    """Returns the arguments that a reader of the file expects train.py to get.

    Args:
        experiment: The Experiment.
        assignments: Name -> value of each parameter, as the trial has it.
    """
    template, first = experiment["spec"]["trialTemplate"], _containers(experiment)[0]
    words = [*first["command"], *first.get("args", ())]
    values = {f"${{trialParameters.{each['name']}}}": each["reference"] for each in template["trialParameters"]}
    if words[0] in ("sh", "bash"):
        words = shlex.split(words[2].replace(";", " ;"))
    filled = [_filled(word, {name: assignments.get(to, "") for name, to in values.items()}) for word in words]
    arguments = filled[filled.index("train.py") + 1 :]
    return arguments[: arguments.index(";")] if ";" in arguments else arguments


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, text in values.items():
        word = word.replace(name, text)
    return word


def logged_arguments(log: str) -> list[str] | None:
    """Returns the arguments that train.py printed; None if it printed none."""
    for line in log.splitlines():
        _, found, text = line.partition("argv [")
        if found:
            arguments: list[str] = json.loads(f"[{text}")
            return arguments
    return None


def admissions() -> Iterator[tuple[str, str]]:
    """Yields what the server admits: code and form of each example of an Experiment that isn't one of refusal."""
    for page in pages():
        if page.left not in (_NO_OBJECT, _NO_EXAMPLE):
            yield from ((page.code, form) for form in FORMS if form == "passes" or page.expected != "refused")


def refusals() -> Iterator[Page]:
    """Yields the pages whose example the cluster doesn't create."""
    yield from (page for page in pages() if page.expected == "refused" and page.fails is not None)


def runs() -> Iterator[Page]:
    """Yields the pages whose example the cluster runs."""
    yield from (page for page in pages() if page.expected != "refused" and page.fails is not None)
