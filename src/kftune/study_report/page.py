"""The report as one HTML page, which loads nothing: data, style and script are in it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from kftune.results.trials import Trials
from kftune.study_report.content import Content, content_of, to_data
from kftune.study_report.provenance import best_argv, best_yaml, failures, provenance

_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = ("draw.js", "plots.js", "parallel.js", "table.js")
_MOST_SLICES = 60
_MOST_FAILURES = 20
_MOST_NAMES = 5
_MOST_LETTERS = 2000

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<div id="tip" hidden></div><div id="told" aria-live="polite"></div>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def report_page(results: Trials) -> str:
    """Returns the report of a study; the same results give the same page.

    Args:
        results: The results.
    """
    content = content_of(results)
    data = to_data(content, results)
    style, script = _assets()
    page = _PAGE.format(
        title=escape(f"{content.meta.name}: report"),
        policy=_policy(style, script),
        style=style,
        script=script,
        data=to_script(data),
        body="\n".join(_body(content, data, results)),
    )
    # UTF-8 has no lone surrogates, which represent bytes of file names; JSON has the same escape.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def to_script(data: dict[str, Any]) -> str:
    """Returns JSON for a script element: no text in it can end the element, or begin a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


@cache
def _assets() -> tuple[str, str]:
    script = "\n".join((_ASSETS / name).read_text(encoding="utf-8").replace('"use strict";\n', "") for name in _SCRIPTS)
    return (_ASSETS / "report.css").read_text(encoding="utf-8"), f'"use strict";\n{script}'


def _policy(style: str, script: str) -> str:
    """Returns what a browser allows the page: its own style and script, known by their hashes."""
    allowed = f"style-src {_hash(style)}; script-src {_hash(script)}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _body(content: Content, data: Mapping[str, Any], results: Trials) -> Iterator[str]:
    sections = [
        ("best", "Best", _best(content)),
        ("history-section", "History", _history(content)),
        ("front-section", "Trade-off of two objectives", _front(content)),
        ("curves-section", "Learning curves", _curves(data)),
        ("parallel-section", "Parallel coordinates", _parallel(content)),
        ("importances", "Importances", _importances(content)),
        ("slices", "Slices", _slices(content)),
        ("pair-section", "Two hyperparameters", _pair(content)),
        ("timeline-section", "Timeline", _timeline(content)),
        ("failed", "Failed trials", _failed(content)),
        ("trials", "All trials", _table()),
        ("provenance", "Provenance", _rows(provenance(results, content.trials))),
    ]
    shown = [(name, title, html) for name, title, html in sections if html]
    yield f"<header><h1>{escape(content.meta.name)}</h1><p>{escape(_sought(content))}</p>"
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title, _ in shown)
    yield f"<nav>{links}</nav></header>"
    yield f"<main>{_cards(content, results)}"
    yield "<noscript><p>The plots and the table of all trials need JavaScript, which is in this page.</p></noscript>"
    if len(content.objectives) > 1:
        yield '<p class="tools"><label>objective of the plots <select id="objective"></select></label></p>'
    for name, title, html in shown:
        yield f'<section id="{name}"><h2>{title}</h2>{html}</section>'
    yield "</main>"


def _sought(content: Content) -> str:
    return ", ".join(
        f"{each.direction} {each.name}" + ("" if each.goal is None else f" (goal {each.goal:g})")
        for each in content.meta.objectives
    )


def _cards(content: Content, results: Trials) -> str:
    states = sorted(results.counts().items(), key=lambda each: -each[1])
    counts = ", ".join(f"{count} {state}" for state, count in states)
    best = [content.trials[place] for place in content.best]
    cards: list[tuple[str, str]] = []
    if len(content.objectives) > 1:
        cards.append((f"{len(best)} trials", "in the Pareto set"))
    elif best:
        cards.append((f"{best[0].objective:.6g}", f"best {content.meta.objective.name}, of {best[0].name}"))
    else:
        cards.append(("none", "no trial has a result"))
    cards.append((f"{len(content.trials)} trials", counts or "none has started"))
    active, spent = results.active_seconds(), sum(trial.duration or 0 for trial in content.trials)
    cards.append(
        (duration(active), f"all runs; the trials together {duration(spent)}")
        if active
        else (duration(spent), "all trials together")
    )
    cards += [(each.result, f"target {each.name}: {each.bounds}") for each in results.targets()]
    shown = [f'<div class="card"><b>{escape(one)}</b><span>{escape(two)}</span></div>' for one, two in cards]
    return f'<div class="cards">{"".join(shown)}</div>'


def duration(seconds: float) -> str:
    """Returns a time as people say it: ``3 min``, ``2.5 h``."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"


def _best(content: Content) -> str:
    if not content.best:
        return "<p>No trial has a result yet.</p>"
    trial = content.trials[content.best[0]]
    first = f", the best in {content.meta.objective.name} of the Pareto set" if content.meta.more_objectives else ""
    return (
        f"<p>{escape(trial.name)}{escape(first)}</p><div class='two'>"
        f'<div><h3>YAML <button type="button" data-copy="yaml">copy</button></h3>'
        f'<pre id="yaml" tabindex="0">{escape(best_yaml(trial, content.meta))}</pre></div>'
        f'<div><h3>Arguments <button type="button" data-copy="argv">copy</button></h3>'
        f'<pre id="argv" tabindex="0">{escape(best_argv(trial, content.meta))}</pre></div></div>'
    )


def _key(*parts: tuple[str, str]) -> str:
    return "".join(f'<span><i class="key {name}"></i>{text}</span>' for name, text in parts)


def _history(content: Content) -> str:
    if not any(value is not None for values in content.objectives for value in values):
        return "<p>No trial has a result.</p>" if content.trials else "<p>There are no trials yet.</p>"
    best = "the Pareto set" if len(content.objectives) > 1 else "the best trial"
    keys = _key(("best", f"{best}, and the best so far"), ("dot", "a trial; hollow: stopped early"))
    return (
        f'<div class="plot" id="history"></div><p class="tools note">{keys}'
        "<span>marks at the edge: no result (failed, stopped early)</span></p>"
    )


def _front(content: Content) -> str:
    if len(content.objectives) < 2 or not content.best:
        return ""
    return (
        '<div class="tools"><label>across <select id="front-across"></select></label>'
        f'<label>up <select id="front-up"></select></label>{_key(("best", "the Pareto set"))}</div>'
        '<div class="plot" id="front"></div>'
    )


def _curves(data: Mapping[str, Any]) -> str:
    if not any(each["trials"] for each in data["curves"]):
        return "<p>No trial reported its objective more than once.</p>"
    keys = _key(("best", "best"), ("dot", "others"), ("wait", "a cross: stopped early"))
    note = "<span>The scale is that of trials with a result; others end at its edge.</span>"
    return f'<div class="plot" id="curves"></div><p class="tools note">{keys}{note}</p>'


def _parallel(content: Content) -> str:
    if not content.parameters or not content.best or len(content.trials) < 2:
        return ""
    return (
        "<p>Drag along an axis to keep the trials in a range; all plots and the table follow. With the keyboard: left "
        "and right choose an axis, up and down move the lower end of its range, with Shift the upper end, Delete "
        "removes it.</p>"
        f'<div class="tools"><span id="kept" role="status"></span><button type="button" id="clear">clear</button>'
        f"{_key(('best', 'best'), ('ramp', 'better to worse'))}</div>"
        '<div class="wide"><div class="plot" id="parallel"></div></div>'
    )


def _importances(content: Content) -> str:
    found = content.importances
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>"
        '<svg class="bars" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar" width="{100 * share:.2f}" height="10"/></svg></td><td>{share:.1%}</td></tr>'
        for name, share in found.shares.items()
    )
    several = f" For {content.meta.objective.name}." if rows and len(content.objectives) > 1 else ""
    return f"<p>{escape(found.note + several)}</p>" + (
        f'<div class="wide"><table class="importances">{rows}</table></div>' if rows else ""
    )


def _slices(content: Content) -> str:
    if not content.parameters or not content.best:
        return ""
    size = len(content.parameters)
    left = f"<p>The first {_MOST_SLICES} of {size} hyperparameters.</p>" if size > _MOST_SLICES else ""
    plots = "".join(f'<div class="plot" id="slice-{place}"></div>' for place in range(min(size, _MOST_SLICES)))
    order = "the most important first" if content.importances.shares else "in the order of the study"
    return f"<p>Each hyperparameter and the objective, {order}.</p>{left}<div class='grid'>{plots}</div>"


def _pair(content: Content) -> str:
    if len(content.parameters) < 2 or not content.best:
        return ""
    field = " The areas show the mean rank of the trials nearby." if len(content.trials) >= 20 else ""
    return (
        f'<p>Each dot is a trial.{field}</p><div class="tools"><label>across <select id="pair-across"></select></label>'
        f'<label>up <select id="pair-up"></select></label>{_key(("best", "best"), ("ramp", "better to worse"))}</div>'
        '<div class="plot" id="pair"></div>'
    )


def _timeline(content: Content) -> str:
    if not any(trial.started for trial in content.trials):
        return ""
    keys = _key(
        ("best", "best"), ("dot", "succeeded"), ("wait", "stopped early"), ("bad", "failed"), ("good", "runs or waits")
    )
    note = "<p>A line for each trial that ran at the same time.</p>"
    return f'{note}<div class="plot" id="timeline"></div><p class="tools note">{keys}</p>'


def _failed(content: Content) -> str:
    groups = failures(content.trials)
    if not groups:
        return ""
    rows = "".join(
        f"<tr><td>{len(names)}</td><td>{escape(state)}</td>"
        f'<td class="text">{escape(_cut(message))}</td><td>{escape(_names(names))}</td></tr>'
        for state, message, names in groups[:_MOST_FAILURES]
    )
    more = len(groups) - _MOST_FAILURES
    rest = f"<p>{more} further messages are in the table of all trials.</p>" if more > 0 else ""
    head = "<tr><th>trials</th><th>state</th><th>message</th><th>names</th></tr>"
    return f'<div class="wide"><table>{head}{rows}</table></div>{rest}'


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _cut(message: str) -> str:
    return message if len(message) <= _MOST_LETTERS else f"{message[:_MOST_LETTERS]}…"


def _table() -> str:
    return (
        '<div class="tools"><label>find <input id="find" type="search"></label>'
        '<label>state <select id="state"><option value="">all</option></select></label>'
        '<button type="button" id="before">previous</button><span id="shown" role="status"></span>'
        '<button type="button" id="after">next</button></div>'
        '<div class="wide" tabindex="0" role="region" aria-label="All trials">'
        '<table><thead><tr id="heads"></tr></thead><tbody id="rows"></tbody></table></div>'
    )


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td class="text">{escape(text)}</td></tr>' for label, text in rows
    )
    return f'<div class="wide"><table>{cells}</table></div>'
