"""Files with objects of Katib: what kubectl prints, or several documents."""

from __future__ import annotations

from collections.abc import Iterable

from kftune.errors import YamlError
from kftune.katib.go import reading
from kftune.results.sources import katib_objects
from kftune.results.trials import Trials
from kftune.spec.kind import objects


def in_yaml(text: str, place: str) -> Trials | None:
    """Returns the trials in a YAML text; None if it has no objects that were in a cluster.

    Args:
        text: The text.
        place: The file, for messages.

    Raises:
        YamlError: The text is not YAML.
        StoreError: The objects are not those of one Experiment.
    """
    if "kubeflow.org/" not in text or "status:" not in text:  # most files that a command gets are studies
        return None
    found: list[object] = []
    for piece in reading.pieces(text):
        try:
            found.append(reading.read(piece.text))
        except reading.NotYamlError as error:
            raise YamlError(error.message, place, piece.line + (error.line or 1), error.column) from None
    return in_documents(found, place)


def in_documents(documents: Iterable[object], place: str) -> Trials | None:
    """Returns the trials in documents; None if they have no objects that were in a cluster.

    Args:
        documents: The values of YAML or JSON documents.
        place: The file, for messages.

    Raises:
        StoreError: The objects are not those of one Experiment.
    """
    found = [each for document in documents for each in objects(document)]
    return katib_objects.read(found, place) if katib_objects.has_trials(found) else None
