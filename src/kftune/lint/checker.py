"""Checks files: Experiments, studies and pipelines that render to them, and the cluster that the input describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kftune.errors import UsageError
from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of, config_of
from kftune.katib.admission.server import KIND
from kftune.katib.go.reading import NotYamlError, pieces, read
from kftune.lint.experiment import CheckedDocument, check_experiment
from kftune.lint.options import LintOptions
from kftune.lint.placing import Found, placed
from kftune.lint.report import (
    AppliedFix,
    ExperimentReport,
    LintFinding,
    LintReport,
    PipelineReport,
    RefusalReason,
    StudyReport,
)
from kftune.lint.sources import STDIN, Document, SourceText, decoded, documents, is_experiment, sources
from kftune.metrics.log_lines import LogLines
from kftune.spec.kind import KindName, kind_of

if TYPE_CHECKING:
    from kftune.lint.sampling import Sample

_Report = TypeVar("_Report", ExperimentReport, StudyReport, PipelineReport)

# A file that contains nothing else is an error.
_UNSUPPORTED: tuple[KindName, ...] = ("Katib object", "project", "experiment list")

# Remedies for a rendered Experiment, as changes of the study that it was rendered from.
_STUDY_REMEDIES = {
    "KT280": "add security: {run_as_user: 1000}, or allow root: security: {run_as_non_root: false}",
    "KT281": "set queue to the name of Kueue's LocalQueue, or correct the label named",
    "KT282": "set host_network: true in place of pod: {hostNetwork: true}, and remove dnsPolicy",
    "KT302": "add a deadline to the study: budget: {trial_timeout: 30m}",
    "KT303": "add limits to the study: step: {resources: {cpu: 2, memory: 4Gi}}",
    "KT304": "set security: {run_as_user: 1000}, or remove run_as_non_root: false",
    "KT305": "give the step's image the tag of one version, or a digest",
    "KT306": "remove the variable from the step's env, and add secrets: {NAME: {name: SECRET, key: KEY}}",
    "KT309": "set queue, and with Volcano or KAI also scheduler; request resources",
    "KT310": "lower shared_memory, or raise resources.memory",
}

# Findings that a study has itself, at the place where it has the cause.
_SAID_OF_STUDY = ("KT248",)

# What a rendered Experiment has on purpose: a normal distribution of a study without bounds is not cut.
_MEANT_BY_STUDY = ("KT210",)


class FixedText(NamedTuple):
    """A file, or standard input, before and after its fixes."""

    file: str
    before: str
    after: str


def check(paths: str | Path | Iterable[str | Path], options: LintOptions | None = None) -> LintReport:
    """Checks files as `kftune lint` does.

    Args:
        paths: Files, folders, or `-` for standard input.
        options: None for the defaults.

    Raises:
        UsageError: A path does not exist, there is nothing to check, or an option is invalid.
    """
    options = options or LintOptions()
    return _Checker(options).check(_sources(paths, options))


def fix(
    paths: str | Path | Iterable[str | Path], options: LintOptions | None = None
) -> tuple[list[FixedText], LintReport]:
    """Applies the safe fixes to texts, and writes nothing.

    Args:
        paths: Files, folders, or `-` for standard input.
        options: None for the defaults; `select` and `ignore` also choose what is fixed.

    Returns:
        All texts, and the report of the fixed ones.

    Raises:
        UsageError: As `check` does.
    """
    options = options or LintOptions()
    checker = _Checker(options)
    given = _sources(paths, options)
    fixed, changes = checker.fix(given)
    texts = [FixedText(old.file, old.text, new.text) for old, new in zip(given, fixed, strict=True)]
    return texts, checker.check(fixed)._replace(fixed=tuple(changes))


def _sources(paths: str | Path | Iterable[str | Path], options: LintOptions) -> list[SourceText]:
    places = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not places and options.hparams is None:
        raise UsageError("lint needs files, folders or - (standard input), or a class with --hparams")
    return list(sources(list(map(str, places)), skip_others=options.skip_others))


class _Checker:
    """Checks texts with the same options.

    Raises:
        UsageError: An option is invalid, or its file is not what it should be.
    """

    def __init__(self, options: LintOptions) -> None:
        self._options = options
        self._selected = _codes(options.select)
        self._ignored = _codes(options.ignore)
        place = options.katib_config
        self._config = KatibConfig() if place is None else config_of(decoded(Path(place).read_bytes()), str(place))
        self._old = None if options.against is None else _experiment_in(options.against)
        self._log = None if options.sample_log is None else LogLines(options.sample_log)
        self._cluster = Cluster()

    def check(self, given: Sequence[SourceText]) -> LintReport:
        """Checks all documents, the Experiments that studies and pipelines render to, and the class of --hparams."""
        experiments: list[ExperimentReport] = []
        studies: list[StudyReport] = []
        pipelines: list[PipelineReport] = []
        passed_over: list[str] = []
        for source, found in self._read(given):
            before = len(experiments) + len(studies) + len(pipelines)
            others: list[Document] = []
            for document in found:
                kind = kind_of(document.value)
                if is_experiment(document, kind, named=source.named):
                    experiments.append(self._experiment(document))
                elif kind.name == "study":
                    from kftune.lint.study import check_study

                    rendered, study = check_study(source, document, self._options)
                    experiments += [self._experiment(each, is_rendered=True) for each in rendered]
                    studies.append(self._asked(study))
                elif kind.name == "pipeline":
                    from kftune.lint.pipeline import check_pipeline

                    rendered, pipeline = check_pipeline(source, document, self._options)
                    experiments += [self._experiment(each, is_rendered=True) for each in rendered]
                    pipelines.append(self._asked(_remedied(pipeline)))
                elif source.named and kind.name in _UNSUPPORTED:
                    others.append(document)
            if before == len(experiments) + len(studies) + len(pipelines):
                experiments += map(self._experiment, others)
                passed_over += [] if others else [source.file]
        if self._options.hparams is not None:
            from kftune.lint.study import check_class

            studies.append(self._asked(check_class(self._options.hparams, self._options)))
        outcomes = Counter(report.outcome for report in experiments)
        return LintReport(
            katib=self._options.katib_version,
            documents=tuple(experiments),
            studies=tuple(studies),
            pipelines=tuple(pipelines),
            passed_over=tuple(passed_over),
            fixed=(),
            summary=dict(sorted(outcomes.items())),
        )

    def fix(self, given: Sequence[SourceText]) -> tuple[list[SourceText], list[AppliedFix]]:
        """Returns the texts with all safe fixes, and the fixes."""
        from kftune.lint.fixing import fixed, with_label

        unlabelled = {
            str(checked.verdict.metadata.get("namespace"))
            for source, found in self._read(given)
            for checked, asked in self._placed(found, source)
            if any(each.code == "KT105" for each in asked)
        }
        result = list(given)
        changes: list[AppliedFix] = []
        editable = [index for index, source in enumerate(given) if _is_utf8(source)]
        for index in editable:
            text, applied = with_label(given[index], unlabelled)
            result[index] = given[index]._replace(text=text)
            changes += applied
        self._read(result)
        for index in editable:
            text, applied = fixed(result[index], partial(self._placed, source=given[index]))
            result[index] = given[index]._replace(text=text)
            changes += applied
        return result, changes

    def _read(self, given: Sequence[SourceText]) -> list[tuple[SourceText, list[Document]]]:
        """Reads the documents, and from now on uses what they say about the cluster."""
        found = [(source, list(documents(source))) for source in given]
        values = (document.value for _, each in found for document in each)
        self._cluster = cluster_of(values, self._config, labelled=self._options.namespace_labelled)
        return found

    def _placed(self, found: Sequence[Document], source: SourceText) -> list[Found]:
        """Checks the Experiments among the documents; only the selected findings count."""
        kinds = ((document, kind_of(document.value)) for document in found)
        checked = [self._checked(each) for each, kind in kinds if is_experiment(each, kind, named=source.named)]
        return [(each, [at for at in placed(each) if self._is_asked(at.code)]) for each in checked]

    def _checked(self, document: Document) -> CheckedDocument:
        return check_experiment(document, self._cluster, self._options.katib_version, self._old)

    def _experiment(self, document: Document, *, is_rendered: bool = False) -> ExperimentReport:
        checked, read = self._sampled(self._checked(document), is_rendered=is_rendered)
        if is_rendered:
            checked = checked._replace(
                findings=tuple([each for each in checked.findings if each.code not in _MEANT_BY_STUDY])
            )
        verdict, remedies = checked.verdict, _STUDY_REMEDIES if is_rendered else {}
        report = ExperimentReport(
            file=document.file,
            index=document.number,
            name=checked.name,
            admitted=verdict.admitted,
            stage=verdict.stage,
            message=verdict.message,
            reasons=tuple(RefusalReason(each.field, each.type, each.detail) for each in verdict.reasons),
            outcome=checked.outcome,
            findings=tuple(
                each._replace(remedy=remedies.get(each.code, each.remedy))
                for each in placed(checked)
                if not (is_rendered and each.code in _SAID_OF_STUDY)
            ),
            sample=read,
        )
        return self._asked(report)

    def _sampled(self, checked: CheckedDocument, *, is_rendered: bool) -> tuple[CheckedDocument, Sample | None]:
        """Adds what the sample log shows; of a rendered Experiment, its study says what is wrong."""
        if self._log is None:
            return checked, None
        from kftune.lint.sampling import Sample, sample, sample_findings

        file, verdict = str(self._options.sample_log), checked.verdict
        if verdict.spec is None or not verdict.admitted:
            return checked, Sample(file, unread="a refused Experiment reads no log")
        read = sample(verdict.spec, self._log, file, near=not is_rendered)
        if is_rendered:
            return checked, read
        more = (each for each in sample_findings(read) if self._is_asked(each.code))
        return checked._replace(findings=(*checked.findings, *more)), read

    def _asked(self, report: _Report) -> _Report:
        """Keeps the selected findings, by line."""
        found: Iterable[LintFinding] = (each for each in report.findings if self._is_asked(each.code))
        return report._replace(findings=tuple(sorted(found, key=lambda each: (each.line, each.column))))

    def _is_asked(self, code: str) -> bool:
        selected = not self._selected or code.startswith(self._selected)
        return selected and not (self._ignored and code.startswith(self._ignored))


def _remedied(report: PipelineReport) -> PipelineReport:
    """Returns the report with remedies in the words of kftune's own files."""
    found = (each._replace(remedy=_STUDY_REMEDIES.get(each.code, each.remedy)) for each in report.findings)
    return report._replace(findings=tuple(found))


def _is_utf8(source: SourceText) -> bool:
    """Returns whether the text, written as UTF-8, is the content of its file."""
    return source.file == STDIN or Path(source.file).read_bytes() == source.text.encode(errors="surrogateescape")


def _codes(given: tuple[str, ...]) -> tuple[str, ...]:
    """Returns codes, or prefixes of codes, in upper case.

    Raises:
        UsageError: No code of a rule begins like this.
    """
    codes = tuple(map(str.upper, given))
    if codes:
        from kftune.errors import suggestion
        from kftune.lint.rules.all import RULES

        for code in codes:
            if not any(known.startswith(code) for known in RULES):
                raise UsageError(
                    f"unknown rule {code!r}; rule codes look like KT201 (or a prefix such as KT2); "
                    f"{suggestion(code, RULES)}"
                )
    return codes


def _experiment_in(place: str | Path) -> Any:
    """Returns the first Experiment of a file."""
    try:
        for piece in pieces(decoded(Path(place).read_bytes())):
            value = read(piece.text)
            if isinstance(value, dict) and value.get("kind") == KIND:
                return value
    except NotYamlError as error:
        raise UsageError(f"{place}:{error.line}: {error.message}") from None
    raise UsageError(f"{place} has no Experiment; --against needs the existing one, as kubectl get -o yaml prints it")
