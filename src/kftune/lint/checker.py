"""What `kftune lint` judges: Experiments, what of ours renders to some, and the cluster that the input describes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kftune.errors import UsageError
from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of, config_of
from kftune.katib.admission.server import KIND
from kftune.katib.go.reading import NotYamlError, pieces, read
from kftune.lint.judging import Judgement, judge
from kftune.lint.report import Checked, Found, Placed, placed
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import STDIN, Document, Source, decoded, documents, is_judged
from kftune.spec.kind import kind_of

if TYPE_CHECKING:
    from kftune.lint.mending import Mended
    from kftune.lint.sampling import Sample
    from kftune.lint.studies import PipelineReport, StudyReport


# What mends a finding of a rendered Experiment is written into the study that it was rendered from.
_IN_OUR_WORDS = {
    "KT302": "write a deadline into the study: budget: {trial_timeout: 30m}",
    "KT303": "write what a trial may use into the study: step: {resources: {cpu: 2, memory: 4Gi}}",
    "KT305": "give the step's image a tag of one version, or a digest",
    "KT306": "take the variable out of the step's env, and write secrets: {NAME: {name: SECRET, key: KEY}}",
}


def _in_our_words(found: Found) -> Found:
    """What is said of a rendered Experiment, with the remedies that its study needs."""
    judgement, placed_ones = found

    def told(finding: Finding) -> Finding:
        return finding._replace(remedy=_IN_OUR_WORDS.get(finding.code, finding.remedy))

    return (
        judgement._replace(findings=tuple(map(told, judgement.findings))),
        [each._replace(finding=told(each.finding)) for each in placed_ones],
    )


class Checker:
    """Judges as a command line asks for it.

    Args:
        arguments: What `kftune.cli.lint` declares.

    Raises:
        UsageError: A file that an argument names is not what it should be.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._version = arguments.katib_version
        self._labelled = not arguments.namespace_unlabelled
        self._selected = _codes(arguments.select)
        self._ignored = _codes(arguments.ignore)
        self._config = _config(arguments.katib_config)
        self._old = _old(arguments.against)
        self._cluster = Cluster()

    def judged(self, found: Sequence[Document], *, named: bool) -> list[Found]:
        """The documents that lint has an opinion of, with the findings that were asked for."""
        return [
            self._placed(judge(document, self._cluster, self._version, self._old))
            for document in found
            if is_judged(document, named) and kind_of(document.value).name not in ("study", "pipeline")
        ]

    def all(self, given: Sequence[Source]) -> Checked:
        """The Experiments of all sources, also those that studies and pipelines render to, and these themselves."""
        experiments: list[Found] = []
        studies: list[StudyReport] = []
        pipelines: list[PipelineReport] = []
        for source, found in self._read(given):
            experiments += self.judged(found, named=source.named)
            for document in found:
                kind = kind_of(document.value).name
                if kind == "study":
                    from kftune.lint.study import judge_study

                    rendered, study = judge_study(source, document, self._arguments)
                    experiments += map(_in_our_words, self.judged(rendered, named=True))
                    studies.append(study._replace(found=self._only_asked(study.found)))
                elif kind == "pipeline":
                    from kftune.lint.pipeline import judge_pipeline

                    rendered, pipeline = judge_pipeline(source, document)
                    experiments += map(_in_our_words, self.judged(rendered, named=True))
                    pipelines.append(pipeline._replace(found=self._only_asked(pipeline.found)))
        if self._arguments.hparams is not None:
            from kftune.lint.study import judge_class

            compared = judge_class(self._arguments.hparams, self._arguments)
            studies.append(compared._replace(found=self._only_asked(compared.found)))
        if self._arguments.sample_log is None:
            return Checked(experiments, studies, pipelines)
        return self._sampled(experiments)._replace(studies=studies, pipelines=pipelines)

    def _sampled(self, experiments: Sequence[Found]) -> Checked:
        """The Experiments with what the sample log says against them, and what they would make of it."""
        from kftune.lint.sampling import Sample, sample, sample_findings

        file = self._arguments.sample_log
        log = Path(file).read_bytes()
        found: list[Found] = []
        samples: list[Sample] = []
        for judgement, asked in experiments:
            spec = judgement.verdict.spec
            if spec is None or not judgement.verdict.admitted:
                made = Sample(file, unread="a refused Experiment reads no log")
            else:
                made = sample(spec, log, file)
            more = self._placed(judgement._replace(findings=tuple(sample_findings(made))))[1]
            joined = judgement._replace(findings=(*judgement.findings, *(each.finding for each in more)))
            found.append((joined, sorted([*asked, *more], key=lambda each: (each.line, each.column))))
            samples.append(made)
        return Checked(found, samples=samples)

    def mended(self, given: Sequence[Source]) -> tuple[list[Source], list[Mended]]:
        """The sources with all remedies that are safe, and what these are."""
        from kftune.lint.mending import mended, with_label

        unlabelled = {
            str(judgement.verdict.metadata.get("namespace"))
            for source, found in self._read(given)
            for judgement, asked in self.judged(found, named=source.named)
            if any(each.finding.code == "KT105" for each in asked)
        }
        changes: list[Mended] = []
        sources = list(given)
        for index, source in enumerate(given):
            if _is_utf8(source):
                text, made = with_label(source, unlabelled)
                sources[index] = source._replace(text=text)
                changes += made
        self._read(sources)
        for index, source in enumerate(sources):
            if _is_utf8(given[index]):
                text, made = mended(source, partial(self.judged, named=source.named))
                sources[index] = source._replace(text=text)
                changes += made
        return sources, changes

    def _read(self, given: Sequence[Source]) -> list[tuple[Source, list[Document]]]:
        """The documents of the sources; what they say of the cluster counts from here on."""
        read_ones = [(source, list(documents(source))) for source in given]
        values = (document.value for _, found in read_ones for document in found)
        self._cluster = cluster_of(values, self._config, labelled=self._labelled)
        return read_ones

    def _placed(self, judgement: Judgement) -> Found:
        return judgement, self._asked(placed(judgement))

    def _only_asked(self, found: Found) -> Found:
        judgement, all_of_it = found
        return judgement, self._asked(all_of_it)

    def _asked(self, found: Iterable[Placed]) -> list[Placed]:
        """The findings that were asked for, by line."""
        asked = (each for each in found if self._is_asked(each))
        return sorted(asked, key=lambda each: (each.line, each.column))

    def _is_asked(self, each: Placed) -> bool:
        code = each.finding.code
        selected = not self._selected or code.startswith(self._selected)
        return selected and not (self._ignored and code.startswith(self._ignored))


def _is_utf8(source: Source) -> bool:
    """Whether the text, written as UTF-8, is what it was read from."""
    return source.file == STDIN or Path(source.file).read_bytes() == source.text.encode(errors="surrogateescape")


def _codes(text: str) -> tuple[str, ...]:
    """The rules that an option names, by code or by its beginning.

    Raises:
        UsageError: No rule's code begins so.
    """
    given = tuple(filter(None, text.upper().replace(" ", "").split(",")))
    if given:
        from kftune.errors import suggestion
        from kftune.lint.rules.all import RULES

        for beginning in given:
            if not any(code.startswith(beginning) for code in RULES):
                raise UsageError(
                    f"a rule is KT and three digits, or the beginning of that; {beginning!r} is none; "
                    f"{suggestion(beginning, RULES)}"
                )
    return given


def _config(place: str | None) -> KatibConfig:
    return KatibConfig() if place is None else config_of(decoded(Path(place).read_bytes()), place)


def _old(place: str | None) -> Any:
    """The first Experiment of the file."""
    if place is None:
        return None
    try:
        for piece in pieces(decoded(Path(place).read_bytes())):
            value = read(piece.text)
            if isinstance(value, dict) and value.get("kind") == KIND:
                return value
    except NotYamlError as error:
        raise UsageError(f"{place}:{error.line}: {error.message}") from None
    raise UsageError(f"{place} holds no Experiment; --against takes the living one, as kubectl get -o yaml prints it")
