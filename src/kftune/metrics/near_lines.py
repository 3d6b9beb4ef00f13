"""Explains why a line that seems to have a metric's value is not read, and what to change.

A line is changed in the ways in which logs usually differ from what a reader expects. The fewest changes that make it
readable are the explanation. Who reads the line is a function, so that studies and Experiments share the explanations.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from kftune.metrics.definition import VALUE_GROUP
from kftune.metrics.line import METRIC_FORMAT, NUMBER

_MOST_LINES = 500
_MOST_REASONS = 5
_LONGEST_SHOWN = 160
_LONGEST_READ = 1000

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_NO_NUMBER = re.compile(r"([=:>|]\s*[+-]?)(?:nan|inf(?:inity)?|none|null)\b", re.IGNORECASE)
_SEPARATOR = r"(\s*(?::=|:|->|=>|==|=|\|)\s*)(?=[-+.$\[('\"\w])"
_IN_BRACKETS = re.compile(r"([=:>|]\s*)(?:[A-Za-z_][\w.]*\(|[\[($])+")
_THOUSANDS = re.compile(r"(?<=[0-9])[,_](?=[0-9]{3}(?![0-9]))")
_DECIMAL_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")
_UNIT = re.compile(rf"([=:>|]\s*{NUMBER})[A-Za-z]+\b")
# The form of Katib's first examples: `{metricName: loss, metricValue: 0.5}`.
_NAMED = r"""\{{?\s*['"]?metricName['"]?\s*:\s*['"]?{}['"]?\s*,\s*['"]?metricValue['"]?\s*:\s*['"]?"""
_NAMED_END = rf"""({NUMBER})['"]?\s*\}}?"""
_PUNCTUATION = re.compile(r"[;|()\[\]{}<>%]|,(?![0-9])|(?<![0-9]),")


class NearLine(NamedTuple):
    """A line that is not read, but a similar one would be."""

    line: int
    text: str
    why: str
    remedy: str


class LineReader(NamedTuple):
    """What reads a metric from lines."""

    value: Callable[[str, str], str | None]
    """The number that it finds in a line, as text; the second text is a regex to use instead of its own, or empty."""
    advice: Callable[[str], str]
    """What to write into the file at hand, given a regex."""
    groups: int
    """1 if a regex has a group for the value only; 2 if it has one for the name before it."""


class _Way(NamedTuple):
    """A way in which logs differ from what readers expect."""

    change: Callable[[str], str]
    why: Callable[[str], str]
    remedy: str
    regex: str = ""


def near_lines(name: str, lines: Iterable[bytes], reader: LineReader) -> Iterator[NearLine]:
    """Yields the lines that almost have a value, one for each reason.

    Args:
        name: The metric.
        lines: All lines of a log.
        reader: What reads them.
    """
    return explained(name, lines, lambda text: _reason(name, text, reader))


def explained(name: str, lines: Iterable[bytes], reason: Callable[[str], tuple[str, str] | None]) -> Iterator[NearLine]:
    """Yields the lines with a metric's name for which there is a reason, one for each reason.

    Args:
        name: The metric.
        lines: All lines of a log.
        reason: Returns why a line is not read, and the remedy.
    """
    loose = loosely(name)
    texts = enumerate((line.decode("utf-8", "surrogateescape") for line in lines), 1)
    plain = ((number, text, loose.search(_COLOUR.sub("", text))) for number, text in texts)
    candidates = ((number, _around(text, found.start())) for number, text, found in plain if found)
    reasons: set[str] = set()
    for number, text in itertools.islice(candidates, _MOST_LINES):
        found = reason(text)
        if found and found[0] not in reasons:
            reasons.add(found[0])
            yield NearLine(number, text.strip()[:_LONGEST_SHOWN], *found)
            if len(reasons) == _MOST_REASONS:
                return


def _around(text: str, place: int) -> str:
    """Returns the part of a long line in which a name is: each way to change it reads all of it."""
    return text if len(text) <= _LONGEST_READ else text[max(0, place - _LONGEST_READ // 4) :][:_LONGEST_READ]


def _reason(name: str, text: str, reader: LineReader) -> tuple[str, str] | None:
    """Returns the fewest changes that make a line readable, in words, and their remedies."""
    if reader.value(text, "") is not None:
        return None
    ways = [way for way in _ways(name, reader.groups) if way.change(text) != text or way.regex]
    for count in range(1, 5):
        for chosen in itertools.combinations(ways, count):
            changed, regex = text, ""
            for way in chosen:
                changed, regex = way.change(changed), way.regex or regex
            value = reader.value(changed, regex)
            if value is not None:
                why = " and ".join(way.why(text) for way in chosen)
                remedies = "; ".join(way.remedy.replace("{name}", name) for way in chosen)
                return why, remedies if regex and count == 1 else _remedy(name, text, value, reader) or remedies
    return None


def _remedy(name: str, text: str, value: str, reader: LineReader) -> str:
    """Returns the advice with a regex, if one reads the same value from the line as it is; else an empty text."""
    called = loosely(name).search(text)
    # A study's regex may look for another name; of a filter, the name that it finds is the metric's.
    regex = regex_for(called[0] if called and reader.groups == 1 else name, text, reader.groups)
    if reader.value(text, regex) != value:
        return ""
    return f"print {name}=0.3 as kftune.report does, or {reader.advice(regex)}"


def _ways(name: str, groups: int) -> list[_Way]:
    loose = loosely(name)
    separated = re.compile(rf"({loose.pattern}['\"]?){_SEPARATOR}", re.IGNORECASE)
    blank = re.compile(rf"(?<![\w/.-]){re.escape(name)}[ \t]+(?:is[ \t]+)?(?=[-+]?\.?[0-9])")
    joined = re.compile(rf"(?<=[:])(?={re.escape(name)}=)")

    def called(text: str) -> str:
        found = loose.search(_COLOUR.sub("", text))
        return f"the log calls it {found[0]!r}" if found else ""

    def separator(text: str) -> str:
        found = separated.search(_COLOUR.sub("", text))
        if found is None:
            return "it has a space instead of '='"
        sign = found[2].strip()
        return "spaces are around '='" if sign == "=" else f"it has {sign!r} instead of '='"

    plain = "print {name}=0.3 as kftune.report does"
    named = re.compile(_NAMED.format(re.escape(name)) + _NAMED_END)
    ways = [
        _Way(
            lambda text: named.sub(rf" {name}=\1 ", text),
            lambda _: "the name and the value are two fields",
            plain,
        ),
        _Way(lambda text: _COLOUR.sub("", text), lambda _: "it contains colour codes", "print without colours"),
        _Way(lambda text: blank.sub(f"{name}=", separated.sub(r"\1=", text)), separator, plain),
        _Way(
            lambda text: re.sub("['\"]", "", text),
            lambda _: "quotes surround the name or the value",
            "print {name}=0.3 without quotes, as kftune.report does",
        ),
        _Way(
            lambda text: _IN_BRACKETS.sub(r"\1", text),
            lambda _: "brackets or a name precede the number",
            "print the number alone, such as loss.item()",
        ),
        _Way(
            lambda text: _THOUSANDS.sub("", text),
            lambda _: "the number has separators between its digits",
            "print the number without separators",
        ),
        _Way(lambda text: _UNIT.sub(r"\1", text), lambda _: "letters follow the number", "print the number alone"),
        _Way(
            lambda text: _DECIMAL_COMMA.sub(".", text),
            lambda _: "the number has a comma",
            "print the number with a decimal point",
        ),
        _Way(
            lambda text: _PUNCTUATION.sub(" ", text),
            lambda _: "punctuation touches the value or the name",
            "put spaces around name=value",
        ),
        _Way(lambda text: joined.sub(" ", text), lambda _: "other text touches the name", "put a space before {name}="),
        _Way(
            lambda text: loose.sub(lambda _: name, text),
            called,
            "name the metric as the log does, or print the name that the file has",
        ),
        _Way(
            lambda text: _NO_NUMBER.sub(r"\g<1>0", text),
            lambda _: "the value is not a finite number",
            "stop the training at such a value, or report nothing for the step",
        ),
    ]
    if groups == 2:
        advice = f"add this filter to metricsFormat: {METRIC_FORMAT}"
        ways.insert(-1, _Way(str, lambda _: "the filter does not match such a name", advice, METRIC_FORMAT))
    return ways


def regex_for(name: str, text: str, groups: int) -> str:
    """Suggests a regex that finds a metric in a line.

    Args:
        name: The metric.
        text: The line.
        groups: 1 for a group around the value; 2 for one around the name, too.
    """
    found = re.search(rf"{re.escape(name)}(['\"]?){_SEPARATOR}(['\"]?)([A-Za-z_][\w.]*\(|[\[(])?", text)
    between = r"\s+"
    if found:
        # Katib takes the last plain characters before the number as the name, so classes stand for all others.
        quote, closing = (r'["\x27]' if each else "" for each in (found[1], found[3]))
        bracket = r"[\w.]*[(\[]+" if found[4] else ""
        between = rf"{quote}\s*{re.escape(found[2].strip())}\s*{closing}{bracket}"
    if re.search(_NAMED.format(re.escape(name)), text):
        between = r'["\x27]?\s*,\s*["\x27]?\w+["\x27]?\s*:\s*["\x27]?'
    called = re.escape(name).replace(r"\ ", " ")
    edge = r"\b" if called[:1].isalnum() else ""
    return f"({called}){between}({NUMBER})" if groups == 2 else f"{edge}{called}{between}{VALUE_GROUP}"


def loosely(name: str) -> re.Pattern[str]:
    """Matches a name in upper or lower case, with its words joined in any way."""
    words = [re.escape(word) for word in re.split(r"[^A-Za-z0-9]+", name) if word] or [re.escape(name)]
    return re.compile(r"(?<![A-Za-z0-9])" + r"[\s_/.:\\-]*".join(words) + r"(?![A-Za-z0-9])", re.IGNORECASE)
