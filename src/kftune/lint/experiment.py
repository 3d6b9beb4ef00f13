"""Checks one document: what the cluster answers, what happens afterwards, and the outcome."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune import yaml_text
from kftune.earlystopping.names import with_service
from kftune.errors import YamlError
from kftune.katib.admission import Verdict, admit, not_yaml
from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.admission.reason import field_text
from kftune.katib.admission.server import API_VERSION, KIND, with_name
from kftune.katib.admission.stock import template_place, with_stock_template
from kftune.katib.engines import search_problems
from kftune.katib.go.text import json_text
from kftune.katib.go.types import Path, known_fields
from kftune.katib.go.unstructured import value_at
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import SEVERITIES, Finding, Outcome
from kftune.lint.sources import Document
from kftune.lint.trial.advice import advice_findings
from kftune.lint.trial.findings import trial_findings
from kftune.lint.trial.run_object import run_object
from kftune.lint.trial.stopping import STOPPING_NAME, meant_by, stopping_findings

if TYPE_CHECKING:
    from kftune.spec.kind import Kind, KindName

_LONGEST = 240
_MOST_UNKNOWN = 10
_MOST_FINDINGS = 1000  # of one document; the worst are kept
_OUTCOMES: tuple[Outcome, ...] = ("refused", "fails", "hangs", "wrong")


class CheckedDocument(NamedTuple):
    """A document with its verdict and its findings."""

    document: Document
    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str | None:
        """metadata.name, or generateName; None if there is neither."""
        return self.document.text("metadata", "name") or self.document.text("metadata", "generateName")

    @property
    def outcome(self) -> Outcome:
        """The worst that will happen."""
        if not self.verdict.admitted:
            return "refused"
        severities = {finding.severity for finding in self.findings}
        return next((outcome for outcome in _OUTCOMES if outcome in severities), "ok")


def check_experiment(document: Document, cluster: Cluster, version: KatibVersion, old: Any = None) -> CheckedDocument:
    """Checks one document as an Experiment.

    Args:
        document: What `kftune.lint.sources` read.
        cluster: What the cluster contains.
        version: The version of Katib.
        old: The existing object, for an update; None for a new one.
    """
    given, cluster = cluster, with_service(with_stock_template(cluster, document.value), document.value)
    if document.error is not None:
        verdict = not_yaml(document.error)
    else:
        verdict = admit(with_name(document.value), cluster=cluster, version=version, old=old)
    findings = [*_refusals(document, verdict, cluster), *_dropped(verdict)]
    if verdict.admitted and verdict.spec is not None:
        findings += [*_client_findings(document), *_template_findings(document, given, cluster)]
        findings += _predictions(document, verdict.spec, version)
        run = run_object(verdict.spec, cluster)
        findings += trial_findings(verdict.spec, verdict.metadata, cluster, run, version)
        findings += [*stopping_findings(verdict.spec, cluster, run), *advice_findings(run)]
    if len(findings) > _MOST_FINDINGS:
        findings = sorted(findings, key=lambda found: SEVERITIES.index(found.severity))[:_MOST_FINDINGS]
    return CheckedDocument(document, verdict, tuple(findings))


def _client_findings(document: Document) -> Iterator[Finding]:
    if not document.text("metadata", "name"):
        message = "kubectl apply refuses generateName; kubectl create and API clients make a new Experiment each time"
        yield finding("KT122", ("metadata", "generateName"), message)


def _template_findings(document: Document, given: Cluster, cluster: Cluster) -> Iterator[Finding]:
    """Yields a finding if the trial template is not among the given ConfigMaps."""
    place = template_place(document.value)
    where = (place.get("configMapNamespace"), place.get("configMapName"))
    if not place or where in given.config_maps:
        return
    judged = "its pods, command and values were not checked"
    if where in cluster.config_maps:
        judged = f"{place.get('templatePath')} of a stock install was checked"
    message = f"the ConfigMap {'/'.join(map(str, where))} is not in the input, so {judged}"
    yield finding("KT266", ("spec", "trialTemplate", "configMap"), message)


def _refusals(document: Document, verdict: Verdict, cluster: Cluster) -> Iterator[Finding]:
    if verdict.admitted:
        return
    from kftune.lint.rules.admission import code_of_reason

    if not verdict.reasons:
        code = {"yaml": "KT100", "decode": "KT103", "webhook": "KT105"}.get(verdict.stage, "KT101")
        if verdict.stage == "server" and verdict.path[:1] == ("metadata",):
            code = "KT102"
        if "Kind" in verdict.message and verdict.stage == "decode":
            code = "KT118"
        if code == "KT101":
            yield _other_kind(document, verdict.path)
        else:
            message = _short(verdict.message) + (_read_as(document, verdict.path) if code == "KT103" else "")
            yield finding(code, verdict.path, message)
    for reason in verdict.reasons:
        code = code_of_reason(reason.field, reason.detail)
        more = " (bytes of UTF-8 count)" if reason.detail.startswith("must be no more than ") else ""
        if reason.path == STOPPING_NAME:
            more = meant_by(str(value_at(document.value, reason.path)), cluster)
        if reason.path == ("spec", "parallelTrialCount") and value_at(document.value, reason.path) is None:
            more = ": none is written, and Katib's default is 3"
        yield finding(code, reason.path, f"{reason.field}: {_short(reason.detail)}{more}")


def _read_as(document: Document, path: Path) -> str:
    """Returns how YAML read a plain word that Katib wants as a text: `n` is false, and `2024` a number."""
    value = value_at(document.value, path)
    if not isinstance(value, (bool, int, float)):
        return ""
    try:
        line, column = yaml_text.locate(document.piece.text, (*document.prefix, *path))
    except YamlError:
        return ""
    word = re.match(r"[^\s,}\]#]*", document.piece.text.splitlines()[line - 1][column - 1 :])
    written, read = word[0] if word else "", json_text(value)
    return f"; YAML reads {written} as {read}" if written != read else f"; {written} has no quotes"


# What to give in place of a file that is right, but not for lint.
_IN_PLACE_OF: dict[KindName, str] = {
    "experiment list": "kftune experiments --config FILE checks all of it before it runs; "
    "lint what kftune experiments --config FILE --render --out DIR writes",
    "project": "give its folder, or one of its studies and pipelines",
    "Katib object": "Katib makes it from an Experiment, so give the Experiment",
}


def _other_kind(document: Document, path: Path) -> Finding:
    """Returns the finding about a document that is no Experiment, with what to give in its place."""
    from kftune.spec.kind import kind_of

    kind = kind_of(document.value)
    found = finding("KT101", path, _unknown_kind(document, kind))
    return found if kind.problem else found._replace(remedy=_IN_PLACE_OF.get(kind.name, found.remedy))


def _unknown_kind(document: Document, kind: Kind) -> str:
    """Returns what a document is, or was meant to be, in place of an Experiment."""
    if document.value is None:
        return "the document is empty"
    if kind.problem and document.text("kind") == KIND.lower():
        return f"{kind.problem} (kubectl create takes it, server-side apply refuses it)"
    if kind.name == "other":
        return f"this is {kind}, nor an Experiment (apiVersion: {API_VERSION}, kind: {KIND})"
    return kind.problem or f"this is {kind}; lint checks Experiments, studies and pipelines"


def _short(text: str) -> str:
    """Returns the beginning of a message; the server may quote whole objects."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _dropped(verdict: Verdict) -> Iterator[Finding]:
    if not verdict.unknown:
        return
    from difflib import get_close_matches

    for path in verdict.unknown[:_MOST_UNKNOWN]:
        known = known_fields("Experiment", path[:-1])
        near = get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield finding("KT104", path, f"unknown field {field_text(path)}; Katib drops it{hint}")
    if len(verdict.unknown) > _MOST_UNKNOWN:
        more = f"and {len(verdict.unknown) - _MOST_UNKNOWN} more unknown fields; Katib drops them"
        yield finding("KT104", verdict.unknown[_MOST_UNKNOWN], more)


def _predictions(document: Document, spec: dict[str, Any], version: KatibVersion) -> Iterator[Finding]:
    for problem in search_problems(spec, version):
        by_default = problem.path[-1:] == ("distribution",) and not value_at(document.value, problem.path)
        message = f"{problem.message} (Katib's default, as none is written)" if by_default else problem.message
        yield finding(problem.code, problem.path, message, problem.outcome)
