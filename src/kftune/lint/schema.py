"""The JSON Schema of what `kftune lint --format json` prints."""

from __future__ import annotations

from typing import Any

from kftune.lint.rules.rule import MEANINGS, SEVERITIES

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"anyOf": [_TEXT, {"type": "null"}]}
_COUNT = {"type": "integer", "minimum": 0}
_PLACE = {"type": "integer", "minimum": 1}
_OUTCOME = {
    "description": "The worst that will happen: "
    + "; ".join(f"{severity}: {MEANINGS[severity]}" for severity in SEVERITIES if severity != "habit")
    + "; ok: nothing that lint knows of",
    "enum": [*(severity for severity in SEVERITIES if severity != "habit"), "ok"],
}
_CODE = {"type": "string", "pattern": "^KT[1-9][0-9]{2}$", "description": "The rule; each has a page in docs/lint"}


def lint_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kftune lint --format json",
        **_object(
            katib={"enum": ["0.18", "0.19", "main"], "description": "Which Katib was asked about"},
            documents=_list("Document", "The Experiments, in the order of the input; also what nobody can read"),
            studies=_list("Study", "The study files, and classes compared with --hparams"),
            pipelines=_list("Pipeline", "The pipeline files"),
            fixed=_list("Fixed", "What --fix has written, or --diff has shown"),
            summary={
                "type": "object",
                "description": "Outcome -> how many documents have it",
                "additionalProperties": _COUNT,
            },
        ),
        "$defs": {
            "Document": _object(
                optional=("sample",),
                file={
                    **_TEXT,
                    "description": "As it was given; <stdin>; FILE (rendered) for what a study renders to, "
                    "FILE (step NAME, rendered) for what a tune step of a pipeline does",
                },
                index={**_COUNT, "description": "Which document of the file, from 0"},
                name={**_TEXT_OR_NULL, "description": "metadata.name"},
                admitted={"type": "boolean", "description": "Whether the cluster would create it"},
                stage={
                    "enum": ["yaml", "server", "decode", "webhook", "panic", "admitted"],
                    "description": "Where it is refused: the text, the API server, Katib's decoding, Katib's webhook",
                },
                message={**_TEXT, "description": "What is said of a refusal that has no reasons; else empty"},
                reasons=_list("Reason", "Of the API server or the webhook, in their order"),
                outcome=_OUTCOME,
                findings=_list("Finding", "By line"),
                sample={"$ref": "#/$defs/Sample"},
            ),
            "Reason": _object(
                field={**_TEXT, "description": "The path as the webhook writes it"},
                type={**_TEXT, "description": "Required, Invalid, Forbidden or TooLong"},
                detail=_TEXT,
            ),
            "Finding": _object(
                code=_CODE,
                severity={"enum": list(SEVERITIES)},
                path={**_TEXT, "description": "In the document; such as spec.parameters[0].name"},
                line={**_PLACE, "description": "In the file, from 1"},
                column={**_PLACE, "description": "From 1"},
                message={**_TEXT, "description": "What and why"},
                remedy={**_TEXT, "description": "What to do"},
                page={**_TEXT, "description": "The rule's page, below the project's folder"},
            ),
            "Study": _object(
                file=_TEXT,
                name={**_TEXT_OR_NULL, "description": "Of the study, or of the class"},
                script={**_TEXT_OR_NULL, "description": "The training script that it was compared with"},
                note={**_TEXT, "description": "Why something could not be compared; empty when all was"},
                here=_list("LocalMetric", "What kftune run reads in the sample log"),
                outcome=_OUTCOME,
                findings=_list("Finding", "By line"),
            ),
            "Pipeline": _object(
                file=_TEXT,
                name=_TEXT_OR_NULL,
                note={**_TEXT, "description": "Why it was not rendered for a target; empty when it was for all"},
                outcome=_OUTCOME,
                findings=_list("Finding", "By line"),
            ),
            "LocalMetric": _object(
                name=_TEXT,
                reduce={"enum": ["min", "max", "latest"]},
                values={**_COUNT, "description": "How many there are"},
                value={**_TEXT_OR_NULL, "description": "The one that stands for the trial, as it was printed"},
                refused={**_COUNT, "description": "Reports that are no finite number"},
            ),
            "Fixed": _object(
                file=_TEXT,
                line={**_PLACE, "description": "In the text as it was"},
                column=_PLACE,
                code=_CODE,
                what={**_TEXT, "description": "What was done"},
            ),
            "Sample": _object(
                log={**_TEXT, "description": "The file of --sample-log"},
                metrics=_list("MetricSample", "The objective first; empty when the collector stops"),
                near=_list("Near", "Lines that would be reports if they were written a little differently"),
                error={**_TEXT, "description": "Why the collector stops, and the trial fails; else empty"},
                unread={**_TEXT, "description": "Why no log is read at all; else empty"},
            ),
            "MetricSample": _object(
                name=_TEXT,
                strategy={**_TEXT, "description": "min, max or latest"},
                rows=_list("Row", "The values found, in the log's order"),
                min={**_TEXT, "description": "As Katib reports it, 'unavailable' for none"},
                max=_TEXT,
                latest=_TEXT,
                counts={**_TEXT, "description": "The one that stands for the trial, by the strategy"},
            ),
            "Row": _object(
                line=_PLACE,
                value={**_TEXT, "description": "Exactly as it is stored"},
                timestamp={**_TEXT, "description": "From the line, else 0001-01-01T00:00:00Z"},
                note={**_TEXT, "description": "What is odd about the value; else empty"},
            ),
            "Near": _object(metric=_TEXT, line=_PLACE, text=_TEXT, why=_TEXT, remedy=_TEXT),
        },
    }


def _list(name: str, description: str) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": {"$ref": f"#/$defs/{name}"}}


def _object(optional: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
