"""TensorBoard: an event file for each trial, with the summaries of the HParams dashboard.

Source: tensorboard, plugins/hparams/summary_v2.py and plugin_data.proto.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kftune import confined
from kftune.errors import MissingExtraError, UsageError
from kftune.files import write_bytes, write_text
from kftune.results.columns import ColumnKind, kind_of
from kftune.results.trials import Trials
from kftune.trackers.runs import Point, Run, Written, runs_of, safe_names, study_key

_MARK = "kftune.json"
"""The file that says of which study the runs in a folder are."""
_FILE = "events.out.tfevents.0000000000.kftune"
"""The same name each time, so that a run replaces what was written of it before."""
_MOST_LISTED = 100


def write(results: Trials, folder: Path | None) -> Written:
    """Writes the event files, below a folder with the name of the study.

    Args:
        results: The trials.
        folder: The folder; runs of other studies in it stay as they are.

    Raises:
        UsageError: There is no folder, or it has another study of that name.
        MissingExtraError: TensorBoard is not installed.
        ConfinedError: A link leads out of the folder.
        OSError: The folder cannot be written.
    """
    if folder is None:
        raise UsageError("TensorBoard reads a folder; say where to write: -o logs")
    events = _Events()
    exported, place = runs_of(results), confined.to_write(folder, Path(results.meta.slug, _MARK)).parent
    _check(place, study_key(results))
    kinds = _kinds(exported.runs)
    names = safe_names((run.name for run in exported.runs), r"[^\w.-]|^\.+")
    inside = {run.name: Path(results.meta.slug, names[run.name], _FILE) for run in exported.runs}
    targets = {name: confined.to_write(folder, path) for name, path in inside.items()}
    present = sum(target.is_file() for target in targets.values())
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / _MARK, json.dumps({"study": results.meta.name, "key": study_key(results)}) + "\n")
    write_bytes(place / _FILE, events.of_study(results, exported.runs, kinds))
    for run in exported.runs:
        targets[run.name].parent.mkdir(exist_ok=True)
        write_bytes(targets[run.name], events.of_run(run, kinds))
    return Written(str(place), len(targets) - present, present, f"tensorboard --logdir {folder}", exported.notes)


def _check(place: Path, key: str) -> None:
    mark = place / _MARK
    if mark.is_file():
        try:
            there = json.loads(mark.read_text(encoding="utf-8"))["key"]
        except (ValueError, KeyError, TypeError):
            there = None
        if there != key:
            raise UsageError(f"{place} has the runs of another study of that name; give another folder: -o")
    elif place.is_dir() and any(place.iterdir()):
        raise UsageError(f"{place} is not empty, and kftune export did not write it; give another folder: -o")


def _kinds(runs: Sequence[Run]) -> dict[str, ColumnKind]:
    names = dict.fromkeys(name for run in runs for name in run.values)
    return {name: kind_of(run.values.get(name) for run in runs) for name in names}


class _Events:
    """Makes the bytes of event files.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self) -> None:
        try:
            # Those modules of it that need no TensorFlow.
            from tensorboard.compat.proto import event_pb2, summary_pb2  # noqa: PLC0415 - an extra
            from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2  # noqa: PLC0415
            from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("tensorboard", "tensorboard") from error
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._api, self._metadata, self._data = api_pb2, metadata, plugin_data_pb2
        self._writer = RecordWriter

    def of_study(self, results: Trials, runs: Sequence[Run], kinds: dict[str, ColumnKind]) -> bytes:
        """Returns the file that declares hyperparameters and metrics."""
        begin = min((run.started for run in runs), default=0.0)
        hparams = [self._hparam(name, kind, results, runs) for name, kind in kinds.items()]
        metrics = [
            self._api.MetricInfo(name=self._api.MetricName(tag=tag))
            for tag in dict.fromkeys(tag for run in runs for tag in run.counted)
        ]
        experiment = self._api.Experiment(
            name=results.meta.name, hparam_infos=hparams, metric_infos=metrics, time_created_secs=begin
        )
        tag, data = self._metadata.EXPERIMENT_TAG, self._data.HParamsPluginData(experiment=experiment)
        return self._bytes(begin, [self._plugin(tag, data, begin)])

    def _hparam(self, name: str, kind: ColumnKind, results: Trials, runs: Sequence[Run]) -> Any:
        types = {"boolean": "DATA_TYPE_BOOL", "integer": "DATA_TYPE_FLOAT64", "number": "DATA_TYPE_FLOAT64"}
        info = self._api.HParamInfo(name=name, type=types.get(kind, "DATA_TYPE_STRING"))
        used = {run.texts[name]: _plain(run, name, kind) for run in runs if run.values.get(name) is not None}
        if kind in ("integer", "number") and name in results.meta.space and used:
            info.domain_interval.min_value, info.domain_interval.max_value = min(used.values()), max(used.values())
        elif len(used) <= _MOST_LISTED:
            info.domain_discrete.extend(used.values())
        return info

    def of_run(self, run: Run, kinds: dict[str, ColumnKind]) -> bytes:
        """Returns the file of a trial."""
        start = self._data.SessionStartInfo(group_name=run.name, start_time_secs=run.started)
        for name in sorted(run.values):
            value = None if run.values[name] is None else _plain(run, name, kinds[name])
            if isinstance(value, bool):
                start.hparams[name].bool_value = value
            elif isinstance(value, str):
                start.hparams[name].string_value = value
            elif value is not None:
                start.hparams[name].number_value = value
        status = self._api.Status.Value("STATUS_SUCCESS" if run.succeeded else "STATUS_FAILURE")
        end = self._data.SessionEndInfo(status=status, end_time_secs=run.ended)
        started = self._data.HParamsPluginData(session_start_info=start)
        ended = self._data.HParamsPluginData(session_end_info=end)
        return self._bytes(
            run.started,
            [
                self._plugin(self._metadata.SESSION_START_INFO_TAG, started, run.started),
                *(self._scalar(tag, point) for tag, points in run.metrics.items() for point in points),
                *(self._scalar(tag, point) for tag, point in run.counted.items() if tag not in run.metrics),
                *self._texts(run),
                self._plugin(self._metadata.SESSION_END_INFO_TAG, ended, run.ended),
            ],
        )

    def _texts(self, run: Run) -> Iterator[Any]:
        """Yields the tags of a trial, for the text dashboard."""
        for name, text in run.tags.items():
            value = self._summary.Value(tag=name)
            value.metadata.plugin_data.plugin_name = "text"
            value.tensor.dtype = 7  # DT_STRING
            value.tensor.string_val.append(text.encode())
            yield self._event(wall_time=run.ended, summary=self._summary(value=[value]))

    def _scalar(self, tag: str, point: Point) -> Any:
        value = self._summary.Value(tag=tag, simple_value=point.value)
        return self._event(wall_time=point.time, step=point.step, summary=self._summary(value=[value]))

    def _plugin(self, tag: str, data: Any, time: float) -> Any:
        about = self._metadata.create_summary_metadata(data)
        value = self._summary.Value(tag=tag, metadata=about, tensor=self._metadata.NULL_TENSOR)
        return self._event(wall_time=time, summary=self._summary(value=[value]))

    def _bytes(self, time: float, events: Iterable[Any]) -> bytes:
        file = io.BytesIO()
        writer = self._writer(file)
        for each in (self._event(wall_time=time, file_version="brain.Event:2"), *events):
            writer.write(each.SerializeToString(deterministic=True))
        return file.getvalue()


def _plain(run: Run, name: str, kind: ColumnKind) -> Any:
    """Returns a value as the dashboard has it: a boolean, a number or a text."""
    return run.values[name] if kind in ("boolean", "integer", "number", "text") else json.dumps(run.values[name])
