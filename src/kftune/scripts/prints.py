"""Finds the metrics that a script prints, and the pattern that reads each one from its output."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from kftune.scripts.module import Module

_NUMBER = "([0-9.eE+-]+)"
_PRINTING = frozenset({"print", "info", "warning", "debug", "write", "log", "echo", "secho", "rprint"})
_STORING = frozenset({"log", "log_dict", "add_scalar", "log_metric", "log_metrics", "scalar", "track"})
_LOGGERS = frozenset({"logger", "logging", "log", "LOGGER", "console", "_logger", "self.logger"})
_LOWER = ("loss", "err", "error", "ppl", "perplexity", "rmse", "mae", "mse", "nll", "wer", "cer", "bpb", "bpc", "fid")
_HIGHER = (
    *("acc", "accuracy", "acc1", "acc5", "top1", "top5", "f1", "auc", "auroc", "map", "map50", "iou", "miou", "dice"),
    *("bleu", "rouge", "precision", "recall", "score", "reward", "return", "psnr", "ssim", "r2", "ndcg"),
)
_VALIDATION = frozenset({"val", "valid", "validation", "test", "eval", "dev", "best", "holdout"})
# The words before a value: `val_loss=`, `Val loss: `, `'eval_loss': `, `val loss `.
_NAMED = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_@/.\-]*(?: [A-Za-z][A-Za-z0-9_@/.\-]*)?)(?P<end>['\"]?\s*[=:]?\s*)\Z")
_LONGEST_NAME = 300
_HOLE = "\0"


class Printed(NamedTuple):
    """A metric that a script prints."""

    name: str
    """A name that a study can give it."""
    regex: str
    """The pattern that reads its value; empty if kftune's own does."""
    direction: str
    """`minimize` or `maximize`, by its name."""
    place: str
    """File and line."""
    of_validation: bool
    """Whether it is about data that the training does not see, by its name."""


class Stored(NamedTuple):
    """A metric that a script gives to a logger, which may print nothing."""

    name: str
    place: str


def printed_metrics(module: Module) -> tuple[list[Printed], list[Stored]]:
    """Returns the metrics that a script prints, the likeliest objective first, and those that it only stores.

    Args:
        module: The script.
    """
    printed: dict[str, Printed] = {}
    stored: dict[str, Stored] = {}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else module.name(node.func)
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if module.name(node.func) == "kftune.report":
            for keyword in node.keywords:
                _keep(printed, _metric(f"{keyword.arg}=", " ", module.place(node)))
        elif called in _STORING and owner not in _LOGGERS:
            for name in _stored_names(module, node):
                stored.setdefault(name, Stored(name, module.place(node)))
        elif called in _PRINTING:
            for before, after in _holes(_written(node, called)):
                _keep(printed, _metric(before, after, module.place(node)))
    if "transformers.Trainer" in module.imported.values():
        place = f"{module.file}: the Trainer of transformers"
        _keep(printed, _metric("'eval_loss': ", ",", place))
    order = sorted(printed.values(), key=lambda each: not each.of_validation)
    return order, [each for name, each in stored.items() if _direction(name) and name not in printed]


def _keep(found: dict[str, Printed], metric: Printed | None) -> None:
    if metric is not None:
        found.setdefault(metric.name, metric)


def _stored_names(module: Module, node: ast.Call) -> Iterator[str]:
    for each in node.args[:1]:
        if isinstance(each, ast.Dict):
            yield from (key for key in map(module.literal, each.keys) if isinstance(key, str))
        elif isinstance(found := module.literal(each), str):
            yield found


def _metric(before: str, after: str, place: str) -> Printed | None:
    """Returns the metric with its value between two texts; None for other values."""
    found = _NAMED.search(before[-_LONGEST_NAME:])
    if found is None:
        return None
    words = found["name"].split(" ")
    if len(words) == 2 and (_direction(words[1]) and not _tokens(words[0]) & (_VALIDATION | {"train", "training"})):
        words = words[1:]
    shown = " ".join(words)
    direction = _direction(shown)
    if not direction:
        return None
    name = re.sub(r"[^A-Za-z0-9_/.\-]+", "_", shown.replace("@", "_"))
    stands_alone = before.removesuffix(found["end"])[: -len(shown)][-1:] in ("", " ", "\t", "\n", "\r")
    if found["end"] == "=" and stands_alone and (after[:1] in ("", " ", "\t", "\n", "\r")) and name == shown:
        regex = ""
    else:
        end = found["end"]
        lead = " *" if end[:1].isspace() and end.strip() else ""
        sign = f"{lead}{re.escape(end.strip())}{' *' if end else ''}"
        regex = f"{re.escape(shown).replace(chr(92) + ' ', ' ').replace(chr(92) + '-', '-')}{sign}{_NUMBER}"
    return Printed(name, regex, direction, place, bool(_tokens(shown) & _VALIDATION))


def _tokens(name: str) -> set[str]:
    camel = re.sub(r"([a-z])([A-Z])", r"\1_\2", name)
    return set(re.split(r"[^a-z0-9]+", f"{name} {camel}".lower()))


def _direction(name: str) -> str:
    tokens = _tokens(name)
    if tokens & set(_LOWER):
        return "minimize"
    return "maximize" if tokens & set(_HIGHER) else ""


def _written(node: ast.Call, called: str) -> str:
    """Returns the text that a call writes, with a mark in the place of each value."""
    if called in ("info", "warning", "debug", "log") and len(node.args) > 1:
        first, *_ = (each for each in node.args if isinstance(each, (ast.Constant, ast.JoinedStr, ast.BinOp)))
        return _text(first).replace("%%", "%")
    return " ".join(map(_text, node.args))


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return _percent(node.value) if isinstance(node.value, str) else str(node.value)
    if isinstance(node, ast.Dict):
        keys = (repr(key.value) if isinstance(key, ast.Constant) else _HOLE for key in node.keys)
        return f"{{{', '.join(f'{key}: {_HOLE}' for key in keys)}}}"
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(each) for each in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        return _percent(str(node.left.value))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return re.sub(r"\{[^{}]*\}", _HOLE, _text(node.func.value))
    return _HOLE


def _part(node: ast.expr) -> str:
    """Returns a part of an f-string; `{loss=}` writes its own name."""
    return str(node.value) if isinstance(node, ast.Constant) else _HOLE


def _percent(text: str) -> str:
    return re.sub(r"%(?:\([^()]*\))?[-+ 0#]*\d*(?:\.\d+)?[sdifgeEG]", _HOLE, text)


def _holes(text: str) -> Iterator[tuple[str, str]]:
    """Yields the texts before and after each value, up to the next one."""
    parts = text.split(_HOLE)
    yield from itertools.pairwise(parts)
