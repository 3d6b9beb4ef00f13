"""The report for a terminal: history, the best curve, importances and slices, in letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from textwrap import fill
from typing import NamedTuple

from kftune.html_page import Scale
from kftune.results.trials import Trials
from kftune.shown import shown
from kftune.study_report.content import Content, content_of
from kftune.study_report.parameters import Parameter
from kftune.study_report.provenance import best_argv, failures

_ROWS = 10
_LEFT = 12
_NARROWEST, _WIDEST = 40, 160
_MOST_PARAMETERS = 20
_MOST_FAILURES = 5
_MOST_LETTERS = 300
_BLOCKS, _LETTERS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
_BOLD, _ORANGE, _PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[0m"


class _Style(NamedTuple):
    width: int
    colours: bool
    levels: str
    bar: str

    def title(self, text: str) -> str:
        return f"{_BOLD}{text}{_PLAIN}" if self.colours else text

    def note(self, text: str, indent: int = 2) -> str:
        """Returns a sentence below a plot, in lines that fit."""
        return fill(text, self.width, initial_indent=" " * indent, subsequent_indent=" " * indent)

    def best(self, text: str) -> str:
        return f"{_ORANGE}{text}{_PLAIN}" if self.colours else text

    def spark(self, shares: Sequence[float | None]) -> str:
        """Returns a letter for each share from 0 to 1; a space for None."""
        last = len(self.levels) - 1
        return "".join(" " if share is None else self.levels[round(share * last)] for share in shares)


def report_text(results: Trials, width: int, *, colours: bool = False, is_unicode: bool = True) -> str:
    """Returns the report.

    Args:
        results: The results.
        width: The letters of a line.
        colours: Whether the terminal shows colours.
        is_unicode: Whether it shows blocks; otherwise they are ASCII.
    """
    content = content_of(results)
    levels, bar = (_BLOCKS, "█") if is_unicode else (_LETTERS, "#")
    style = _Style(min(max(width, _NARROWEST), _WIDEST), colours, levels, bar)
    parts = [
        _summary(content, results, style),
        *(part for place in range(len(content.objectives)) for part in _history(content, place, style)),
        *_curve(content, results, style),
        *_importances(content, style),
        *_slices(content, style),
        *_failed(content, style),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(content: Content, results: Trials, style: _Style) -> str:
    meta = content.meta
    counts = ", ".join(f"{count} {state}" for state, count in results.counts().items()) or "none"
    lines = [style.title(_inert(meta.name)), f"trials: {counts}"]
    lines += [f"target {_inert(each.name)}: {each.bounds}, {each.result}" for each in results.targets()]
    if not content.best:
        return "\n".join([*lines, "no trial has a result yet"])
    trial = content.trials[content.best[0]]
    found = [
        f"{_inert(each.name)} {values[content.best[0]]:.6g}"
        for each, values in zip(meta.objectives, content.objectives, strict=True)
    ]
    of = (
        f"Pareto set: {len(content.best)} trials; the best in {_inert(meta.objective.name)}"
        if meta.more_objectives
        else "best"
    )
    best = style.best(f"{of}: {_inert(trial.name)}, {', '.join(found)}")
    return "\n".join([*lines, best, shown(best_argv(trial, meta))])


def _inert(text: str) -> str:
    """Returns a text of a study on one line, in which no letter controls the terminal."""
    return shown(" ".join(text.split()))


def _cut(text: str, room: int) -> str:
    text = _inert(text)
    return text if len(text) <= room else f"{text[: room - 1]}~"


def _history(content: Content, place: int, style: _Style) -> Iterator[str]:
    """Yields the objective of each trial over their order, with the best so far."""
    objective, values = content.meta.objectives[place], content.objectives[place]
    scored = [(index, value) for index, value in enumerate(values) if value is not None]
    if not scored:
        return
    scale = Scale.of(value for _, value in scored)
    columns = style.width - _LEFT
    last = max(len(values) - 1, 1)
    grid = [[" "] * columns for _ in range(_ROWS)]

    def cell(index: int, value: float) -> tuple[int, int]:
        return _ROWS - 1 - round(scale.share(value) * (_ROWS - 1)), round(index / last * (columns - 1))

    sign, found, best = 1 if objective.direction == "minimize" else -1, dict(scored), None
    for index in range(len(values)):
        if index in found:
            best = found[index] if best is None else min(best, found[index], key=lambda value: sign * value)
        if best is not None:
            row, start = cell(index, best)
            end = cell(index + 1, best)[1] if index < last else start + 1
            for column in range(start, max(end, start + 1)):
                grid[row][column] = "-"
    for index, value in scored:
        row, column = cell(index, value)
        grid[row][column] = "." if grid[row][column] == " " else grid[row][column]
    for index in content.best:
        value_of_best = values[index]
        if value_of_best is not None:
            row, column = cell(index, value_of_best)
            grid[row][column] = "*"
    labels = {0: f"{scale.high:.4g}", _ROWS - 1: f"{scale.low:.4g}"}
    lines = [
        f"{labels.get(row, ''):>{_LEFT - 2}} |{''.join(cells).rstrip().replace('*', style.best('*'))}"
        for row, cells in enumerate(grid)
    ]
    note = f"{_inert(objective.name)} of each trial{scale.note}; -: the best so far, *: the best"
    yield "\n".join([style.title("history"), *lines, style.note(note, _LEFT)])


def _curve(content: Content, results: Trials, style: _Style) -> Iterator[str]:
    """Yields the learning curve of the best trial."""
    if not content.best:
        return
    trial = content.trials[content.best[0]]
    curve = results.curves(trial).get(content.meta.objective.name)
    if curve is None or len(curve.values) < 2:
        return
    size = min(len(curve.values), style.width - _LEFT)
    points = [curve.values[round(place * (len(curve.values) - 1) / (size - 1))] for place in range(size)]
    scale = Scale.of(points)
    note = f"{points[0]:.4g} to {points[-1]:.4g}, steps {curve.steps[0]} to {curve.steps[-1]}{scale.note}"
    yield "\n".join(
        [
            style.title(f"curve of {_inert(trial.name)}"),
            f"  {style.spark([scale.share(each) for each in points])}",
            style.note(note),
        ]
    )


def _importances(content: Content, style: _Style) -> Iterator[str]:
    shares = content.importances.shares
    if not content.trials:
        return
    note = _inert(content.importances.note)
    if not shares:
        yield "\n".join([style.title("importances"), style.note(note)])
        return
    width = _name_width(list(shares), style)
    room = style.width - width - 10
    lines = [
        f"  {_cut(name, width):{width}} {share:>6.1%} {style.bar * round(share * room)}".rstrip()
        for name, share in list(shares.items())[:_MOST_PARAMETERS]
    ]
    yield "\n".join([style.title("importances"), *lines, *_more(len(shares)), style.note(note)])


def _name_width(names: Sequence[str], style: _Style) -> int:
    return min(max(len(name) for name in names), style.width // 3)


def _more(size: int) -> list[str]:
    return [f"  and {size - _MOST_PARAMETERS} more"] if size > _MOST_PARAMETERS else []


def _slices(content: Content, style: _Style) -> Iterator[str]:
    """Yields a line for each hyperparameter: how good the best trials are along its range."""
    values = content.objectives[0] if content.objectives else []
    scored = [value for value in values if value is not None]
    by_name = {each.name: each for each in content.parameters}
    shown = [by_name[name] for name in content.names]
    if not scored or not shown:
        return
    width = _name_width(content.names, style)
    room = min(40, style.width - width - 30)
    ranks = _ranks(values, content.meta.direction)
    lines = []
    for parameter in shown[:_MOST_PARAMETERS]:
        low, high, places = _places(parameter, room)
        bins: dict[int, list[float]] = {}
        for index, place in places.items():
            if index in ranks:
                bins.setdefault(place, []).append(ranks[index])
        means = [fmean(bins[place]) if place in bins else None for place in range(room)]
        log = " (log)" if parameter.is_log else ""
        name, ends = _cut(parameter.name, width), (_cut(low, 10), _cut(high, 10))
        lines.append(f"  {name:{width}} {ends[0]:>10} |{style.spark(means)}| {ends[1]}{log}".rstrip())
    note = f"mean rank in {_inert(content.meta.objective.name)} of the trials along each range; higher is better"
    yield "\n".join([style.title("slices"), *lines, *_more(len(shown)), style.note(note)])


def _ranks(values: Sequence[float | None], direction: str) -> dict[int, float]:
    """Returns from 0 (the worst) to 1 (the best) of each trial with a value; equal values have equal ranks."""
    found = sorted({value for value in values if value is not None}, reverse=direction == "minimize")
    ranks = {value: place / max(len(found) - 1, 1) for place, value in enumerate(found)}
    return {index: ranks[value] for index, value in enumerate(values) if value is not None}


def _places(parameter: Parameter, room: int) -> tuple[str, str, dict[int, int]]:
    """Returns the ends of a hyperparameter's range, and of each trial that has it the place in a line."""
    given = {index: value for index, value in enumerate(parameter.values) if value is not None}
    if not parameter.is_number:
        places = {text: place for place, text in enumerate(parameter.categories)}
        names = parameter.categories or ("",)
        wide = {index: min(places[str(value)], room - 1) for index, value in given.items()}
        return names[0], names[-1] if len(names) > 1 else "", wide
    numbers = {index: float(value) for index, value in given.items()}
    scale = Scale.of(numbers.values())._replace(is_log=parameter.is_log)
    found = {index: round(scale.share(value) * (room - 1)) for index, value in numbers.items()}
    return f"{scale.low:.4g}", f"{scale.high:.4g}", found


def _why(message: str) -> str:
    """Returns what follows the name of a failed trial: its message on one line; nothing without one."""
    return f": {' '.join(message.split())}" if message.strip() else ""


def _failed(content: Content, style: _Style) -> Iterator[str]:
    groups = failures(content.trials)
    if groups:
        lines = [
            style.note(_cut(f"{len(names)} {state}, first {names[0]}{_why(message)}", _MOST_LETTERS), 2)
            for state, message, names in groups[:_MOST_FAILURES]
        ]
        yield "\n".join([style.title("failed"), *lines])
