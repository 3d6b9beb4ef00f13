"""One document's verdict, findings and outcome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from kftune.katib.admission import Verdict, admit, not_yaml
from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.admission.reason import field_text
from kftune.katib.engines import search_of, search_problems
from kftune.katib.go.types import known_fields
from kftune.lint.rules.admission import code_of_reason
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import SEVERITIES, Finding, worst
from kftune.lint.sources import Document
from kftune.lint.trial.advice import advice_findings
from kftune.lint.trial.findings import trial_findings
from kftune.lint.trial.run_object import run_object

_LONGEST = 240
_MOST_FINDINGS = 1000  # of one document; the worst are kept

Outcome = Literal["refused", "fails", "hangs", "wrong", "ok"]


class Judgement(NamedTuple):
    """What lint says of one document."""

    document: Document
    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str | None:
        """metadata.name, where there is one."""
        value = self.document.value
        metadata = value.get("metadata") if isinstance(value, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        return name if isinstance(name, str) else None

    @property
    def outcome(self) -> Outcome:
        """The worst that will happen."""
        if not self.verdict.admitted:
            return "refused"
        found = worst([finding.severity for finding in self.findings if finding.severity != "habit"])
        return "ok" if found is None or found == "habit" else found


def judge(document: Document, cluster: Cluster, version: KatibVersion, old: Any = None) -> Judgement:
    """Judges one document.

    Args:
        document: What `kftune.lint.sources` found.
        cluster: What the cluster holds.
        version: Which Katib.
        old: The living object, when this would be an update.
    """
    if document.error is not None:
        verdict = not_yaml(document.error)
    else:
        verdict = admit(document.value, cluster=cluster, version=version, old=old)
    findings = [*_refusals(verdict), *_dropped(verdict)]
    if verdict.admitted and verdict.spec is not None:
        findings += _predictions(verdict.spec, version)
        run = run_object(verdict.spec, cluster)
        findings += trial_findings(verdict.spec, verdict.metadata, cluster, run)
        findings += advice_findings(run)
    if len(findings) > _MOST_FINDINGS:
        findings = sorted(findings, key=lambda found: SEVERITIES.index(found.severity))[:_MOST_FINDINGS]
    return Judgement(document, verdict, tuple(findings))


def _refusals(verdict: Verdict) -> Iterator[Finding]:
    if verdict.admitted:
        return
    if not verdict.reasons:
        code = {"yaml": "KT100", "decode": "KT103", "webhook": "KT105"}.get(verdict.stage, "KT101")
        if verdict.stage == "server" and verdict.path[:1] == ("metadata",):
            code = "KT102"
        if "Kind" in verdict.message and verdict.stage == "decode":
            code = "KT118"
        yield finding(code, verdict.path, _short(verdict.message))
    for reason in verdict.reasons:
        code = code_of_reason(reason.field, reason.detail)
        yield finding(code, reason.path, f"{reason.field}: {_short(reason.detail)}")


def _short(text: str) -> str:
    """The beginning of what the server says; it likes to quote whole objects."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _dropped(verdict: Verdict) -> Iterator[Finding]:
    if not verdict.unknown:
        return
    from difflib import get_close_matches

    for path in verdict.unknown:
        known = known_fields("Experiment", path[:-1])
        near = get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield finding("KT104", path, f"{field_text(path)} is no field of an Experiment and is dropped{hint}")


def _predictions(spec: dict[str, Any], version: KatibVersion) -> Iterator[Finding]:
    problems = search_problems(search_of(spec, version))
    if spec["algorithm"]["algorithmName"] in ("enas", "darts"):
        from kftune.katib.engines.nas import nas_problems

        problems += nas_problems(spec)
    stopping = spec.get("earlyStopping")
    if stopping is not None:
        from kftune.katib.engines.medianstop import stopping_problems

        problems = [*problems, *stopping_problems(stopping)]
    for problem in problems:
        yield finding(problem.code, problem.path, problem.message, problem.outcome)
