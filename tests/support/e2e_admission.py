"""Asks a cluster for its verdict on recorded Experiments, and compares it with the verdict of lint.

Each document goes through `kubectl apply --server-side --dry-run=server`, as a file of its own, so that the reader of
kubectl, the API server and Katib's webhooks all have their say.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from cluster_run import apply_command, kubectl
from places import CORPUS
from recorded import Case, cases, first

from kftune import yaml_text
from kftune.katib.admission import Verdict
from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of, config_of
from kftune.katib.go.reading import pieces, read
from kftune.lint.experiment import CheckedDocument, check_experiment
from kftune.lint.sources import SourceText, documents

RECORDED_NAMESPACE = "kubeflow"
"""The namespace of the recorded ConfigMap."""
EXPERIMENT = "circuits-lstm"
"""The name of the Experiment that an update changes."""
_AT_ONCE = 3
_TYPES = {"Required": "Required value", "Invalid": "Invalid value", "Forbidden": "Forbidden", "TooLong": "Too long"}
# What follows is an object; of lint's text, the findings show no more than its beginning.
_CONVERTED = ", converted template: "
# Katib's words about a name go on in the middle with an example and a regular expression, which lint leaves out.
_WITHOUT_EXAMPLE = (r"\ and\ may\ not\ be\ longer", r".*?\ and\ may\ not\ be\ longer")


class Places(NamedTuple):
    """The namespaces of the comparison."""

    labelled: str
    unlabelled: str

    def of(self, case: Case) -> str:
        """Returns the namespace of a case."""
        return self.labelled if case.get("label", True) else self.unlabelled


class Answer(NamedTuple):
    """What the cluster says of a document."""

    admitted: bool
    text: str


class Asked(NamedTuple):
    """A document with the verdicts of lint and of the cluster."""

    id: str
    lint: CheckedDocument
    cluster: Answer

    @property
    def verdict(self) -> Verdict:
        """Lint's prediction of the cluster's answer."""
        return self.lint.verdict

    def differs(self) -> bool:
        """Whether only one of them refuses the document."""
        return (self.lint.outcome != "refused") != self.cluster.admitted

    def was_sent(self) -> bool:
        """Whether kubectl sent it to the server, and did not refuse it itself."""
        return self.cluster.text.startswith("Error from server")

    def untold(self) -> list[str]:
        """Returns what lint says of the reason and the cluster does not: the first such part."""
        return untold(self.verdict, self.cluster.text)


def kind_of_verdict(case: Case) -> tuple[str, str, str]:
    """Returns what tells apart the kinds of verdicts: the stage, what was changed, and the first reason."""
    recorded = case["0.19"]
    reason = next((f"{one['type']} {one['field']}" for one in recorded["reasons"]), "")
    message = " ".join(recorded.get("message", "").split()[:6])
    return recorded["stage"], case["kind"].partition("/")[0], re.sub(r"\[\d+\]", "", reason) or message


def chosen(count: int) -> list[Case]:
    """Returns the recorded cases to ask for: the first of each kind of verdict, then the second, and so on.

    Apply refuses generateName, which other clients and lint take.
    """
    kinds: defaultdict[tuple[str, str, str], list[Case]] = defaultdict(list)
    for case in cases("admission"):
        if "generateName:" not in case["yaml"]:
            kinds[kind_of_verdict(case)].append(case)
    rounds = chain.from_iterable(zip_longest(*kinds.values()))
    return [case for case in rounds if case is not None][:count]


def placed(case: Case, places: Places) -> Case:
    """Returns a case for namespaces of this run: its ConfigMap is there, and each Experiment to update has a name."""

    def text(given: str) -> str:
        moved = given.replace(f"configMapNamespace: {RECORDED_NAMESPACE}", f"configMapNamespace: {places.labelled}")
        if not case.get("label", True):
            moved = moved.replace("metadata:\n", f"metadata:\n  namespace: {places.unlabelled}\n", 1)
        return moved.replace(f"name: {EXPERIMENT}", f"name: {case['id']}", 1) if "old" in case else moved

    return {**case, **{key: text(case[key]) for key in ("yaml", "old") if key in case}}


def claims(verdict: Verdict) -> Iterator[str]:
    """Yields the patterns of what the cluster must say, in order, by lint's verdict on a refused document."""
    for reason in verdict.reasons:
        detail = re.escape(reason.detail.partition(_CONVERTED)[0]).replace(*_WITHOUT_EXAMPLE)
        yield f"{re.escape(reason.field)}: {_TYPES[reason.type]}.*?: {detail}"
    # Of another kind of object, lint says more than the server, in words of its own.
    if verdict.message and not verdict.message.startswith("not "):
        yield re.escape(verdict.message)


def untold(verdict: Verdict, text: str) -> list[str]:
    """Returns the first claim of lint's verdict that the cluster's text does not hold, after the others."""
    for claim in claims(verdict):
        found = re.search(claim, text, re.DOTALL)
        if found is None:
            return [claim]
        text = text[found.end() :]
    return []


# -- the cluster -----------------------------------------------------------------------------------------------------


def templates(places: Places) -> str:
    """Returns the recorded ConfigMap in the namespace of this run."""
    text = (CORPUS / "templates.yaml").read_text(encoding="utf-8")
    return text.replace(f"namespace: {RECORDED_NAMESPACE}", f"namespace: {places.labelled}")


def katib_config() -> KatibConfig:
    """Returns what the cluster's katib-config says."""
    command = ["kubectl", "get", "configmap", "--all-namespaces", "--field-selector=metadata.name=katib-config"]
    (found,) = json.loads(kubectl([*command, "-o", "json"]))["items"]
    return config_of(yaml_text.dump(found), "katib-config")


def seen_cluster(places: Places, *, labelled: bool) -> Cluster:
    """Returns what lint has to know of the cluster."""
    return cluster_of([read(piece.text) for piece in pieces(templates(places))], katib_config(), labelled=labelled)


def store_existing(case: Case, namespace: str) -> None:
    """Creates the Experiment that a case updates, and gives it its status."""
    old: Any = first(case["old"])
    status = old.pop("status")
    old["metadata"].pop("namespace", None)
    kubectl([*apply_command(dry_run=False), "-n", namespace], json.dumps(old))
    patch = ["kubectl", "patch", "experiment", case["id"], "-n", namespace, "--subresource=status", "--type=merge"]
    deadline = time.monotonic() + 60
    seen = 0
    # The controller writes its first condition at about the same time, over or under this one.
    while seen < 2:
        now = _status(case["id"], namespace)
        kept = all(now.get(key) == value for key, value in status.items() if key != "conditions")
        held = kept and _held(status) <= _held(now)
        seen = seen + 1 if held else 0
        assert time.monotonic() < deadline, f"{case['id']} does not keep the status {status}, but has {now}"
        if not held:
            kubectl([*patch, "-p", json.dumps({"status": status})])


def _status(name: str, namespace: str) -> dict[str, Any]:
    found: Any = json.loads(kubectl(["kubectl", "get", "experiment", name, "-n", namespace, "-o", "json"]))
    return dict(found.get("status") or {})


def _held(status: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(one["type"], one["reason"]) for one in status.get("conditions", ()) if one["status"] == "True"}


def ask(given: Sequence[Case], places: Places, folder: Path) -> list[Answer]:
    """Returns the cluster's answer to each case; none of them is stored.

    Args:
        given: Placed cases.
        places: The namespaces.
        folder: An empty folder for the documents.
    """

    def answer(case: Case) -> Answer:
        file = folder / f"{case['id']}.yaml"
        file.write_text(case["yaml"], encoding="utf-8", newline="")
        command = [*apply_command(dry_run=True)[:-1], str(file), "-n", places.of(case)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return Answer(done.returncode == 0, done.stderr)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(answer, given))


def lint_of(case: Case, cluster: Cluster) -> CheckedDocument:
    """Returns what lint says of a placed case. A file without a document is an empty one."""
    found = documents(SourceText(f"{case['id']}.yaml", case["yaml"], named=True))
    old = first(case["old"]) if "old" in case else None
    (document,) = found
    return check_experiment(document, cluster, "0.19", old)
