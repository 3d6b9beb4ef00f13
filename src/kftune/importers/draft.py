"""The study that an import builds, the fields of its class, and what the report says about each part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kftune.domains import domain_from_spec
from kftune.errors import MetricError
from kftune.importers.command import ForeignCommand
from kftune.importers.flow import flow
from kftune.importers.imported import REQUIRED, Field, Imported, Note, Open, Options
from kftune.importers.names import field_name, metric_name, study_name
from kftune.importers.node import Node
from kftune.importers.spaces import Space, typed_values
from kftune.metrics.definition import MetricDefinition, definition_notes

_BAYESIAN = "the Gaussian process is kftune's own (bayesianoptimization); multivariate-tpe needs no extra package"


@dataclass
class Draft:
    """Builds an import. Names of hyperparameters are those of the file until `finish`."""

    name: str
    options: Options = field(default_factory=Options)
    study: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)
    """Hyperparameter -> its argument in the file's own command line, without dashes at the start."""

    _renamed: tuple[Node, str] | None = None
    """The objective, if its name has changed; what that means depends on whether a pattern reads it."""

    _grid: Node | None = None
    """Where the file asks for a grid."""

    # -- the report ----------------------------------------------------------------------------------------------------

    def exact(self, node: Node, became: str) -> None:
        """Says that a part is carried exactly.

        Args:
            node: The part of the file.
            became: What it becomes.
        """
        self.notes.append(Note("exact", node.where, node.line, became))

    def converted(self, node: Node, became: str) -> None:
        """Says that a part means the same in another form.

        Args:
            node: The part of the file.
            became: What it becomes, and how.
        """
        self.notes.append(Note("converted", node.where, node.line, became))

    def lost(self, node: Node, text: str) -> None:
        """Says that a part means something else here, or nothing, and what to use.

        Args:
            node: The part of the file.
            text: What is lost, and what to use.
        """
        self.notes.append(Note("lost", node.where, node.line, text))

    def to_fill(self, key: str, text: str) -> None:
        """Says what the user has to write or to check.

        Args:
            key: The key of the study.
            text: What to write or to check.
        """
        self.open.append(Open(key, text))

    def _to_fill_too(self, key: str, text: str) -> None:
        """Says what the user has to write, unless something was said about that key."""
        if not any(each.key == key for each in self.open):
            self.to_fill(key, text)

    def leave(self, node: Node, reasons: dict[str, str]) -> None:
        """Says of each key that was not read that it is left out.

        Args:
            node: The mapping.
            reasons: What to use in place of known keys.
        """
        for each in node.unread():
            key = str(each.path[-1])
            if each.value is not None:
                self.lost(each, reasons.get(key, "nothing in a study has this name; it is left out"))

    # -- the study -----------------------------------------------------------------------------------------------------

    def put(self, *path: str, value: Any) -> None:
        """Sets a key of the study.

        Args:
            path: The key of the study.
            value: Its value.
        """
        inner = self.study
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = value

    def carry(self, node: Node | None, *path: str, value: Any = REQUIRED, note: str = "") -> None:
        """Sets a key of the study to the value of a node, if there is one, and says so.

        Args:
            node: The part of the file.
            path: The key of the study.
            value: The value, if it is not that of the node.
            note: How it differs in form; then it counts as converted.
        """
        if node is None:
            return
        given = value
        if value is REQUIRED:
            given = node.number() if path[0] == "budget" else node.value
        self.put(*path, value=given)
        text = f"{'.'.join(path)}: {flow(given)}"
        if note:
            self.converted(node, f"{text}; {note}")
        else:
            self.exact(node, text)

    def search(self, name: str, node: Node, space: Space) -> None:
        """Adds a searched hyperparameter.

        Args:
            name: Its name in the file.
            node: The part of the file.
            space: What is searched.
        """
        self._check_new(name, node)
        self.fields[name] = Field(space.annotation)
        self.study.setdefault("search", {})[name] = space.spec
        text = flow(space.spec)
        if space.lost:
            self.lost(node, f"{text}; {space.lost}")
        elif space.converted:
            self.converted(node, f"{text}; {space.converted}")
        else:
            self.exact(node, text)
        if space.check:
            self.to_fill(f"search.{name}", space.check)

    def fix(self, name: str, node: Node, value: Any, note: str = "") -> None:
        """Adds a hyperparameter with a fixed value.

        Args:
            name: Its name in the file.
            node: The part of the file.
            value: The value.
            note: How it differs in form from that of the file.
        """
        self._check_new(name, node)
        annotation, [typed], changed = typed_values([value]) if not isinstance(value, dict) else ("dict", [value], "")
        self.fields[name] = Field(annotation, typed)
        self.study.setdefault("values", {})[name] = typed
        notes = "; ".join(filter(None, (note, changed)))
        text = f"values.{name}: {flow(typed)}"
        self.notes.append(
            Note("converted" if notes else "exact", node.where, node.line, f"{text}{notes and f'; {notes}'}")
        )

    def bayesian(self, node: Node) -> None:
        """Takes the algorithm for a search by a Gaussian process."""
        self.carry(node, "algorithm", "name", value="bayesianoptimization", note=_BAYESIAN)

    def grid(self, node: Node) -> None:
        """Takes a search that tries every point; `finish` looks at the number of points."""
        self._grid = node
        self.put("algorithm", "name", value="grid")

    def objective(self, node: Node, metric: str, direction: str) -> None:
        """Sets the objective.

        Args:
            node: Where the file names the metric.
            metric: Its name there.
            direction: `minimize` or `maximize`.
        """
        name = metric_name(metric)
        self.put("objective", "metric", value=name)
        self.put("objective", "direction", value=direction)
        text = f"objective: {direction} {name}"
        if name == metric:
            self.exact(node, text)
        else:
            self._renamed = (node, f"{text}; a metric line cannot carry the name {metric!r}")

    def printed(self, how: str) -> None:
        """Says that the script has to print its metrics, because the other system gets them in another way."""
        self.to_fill("objective.metric", f"{how}; kftune reads what trials print: call kftune.report, or write a regex")

    def regex(self, node: Node, metric: str, pattern: str) -> None:
        """Adds the pattern by which a metric is read from the log; it says what the pattern misreads.

        Args:
            node: The part of the file.
            metric: The name of the metric in the file.
            pattern: The pattern.
        """
        name = metric_name(metric)
        try:
            notes = definition_notes(MetricDefinition(name, pattern))
        except MetricError as error:
            self.lost(node, f"the pattern of {name} is left out: {error}")
            return
        if self.study.get("objective", {}).get("metric") == name:
            self.put("objective", "regex", value=pattern)
            where = "objective.regex"
        else:
            self.study.setdefault("metrics", []).append({"name": name, "regex": pattern})
            where = f"metrics: {name}"
        if name == metric:
            self.exact(node, f"{where}: {pattern}")
        else:
            self.converted(node, f"{where}: {pattern}; the name is {name}")
        for each in notes:
            self.to_fill(where, each)

    def start(self, node: Node, tokens: Sequence[str], key: str = "command") -> None:
        """Takes what starts a trial; `--command` of the command line has precedence.

        Args:
            node: Where the file has it.
            tokens: The tokens before the hyperparameters.
            key: Its key of the step: ``args`` where the image has the command.
        """
        self.put("step", key, value=[*tokens])
        given = " ".join(tokens)
        if self.options.command and key == "command":
            self.converted(node, f"step.command: {' '.join(self.options.command)} (--command) in place of {given}")
        else:
            self.converted(node, f"step.{key}: {given}; the hyperparameters follow it")

    def command(self, line: ForeignCommand, node: Node, key: str = "command") -> None:
        """Takes the command line of a trial.

        Args:
            line: The command line.
            node: Where the file has it.
            key: Its key of the step: ``args`` where the image has the command.
        """
        if line.tokens:
            self.start(node, line.tokens, key)
        if line.style != "--name=value" and line.flags:
            self.put("step", "arguments", "style", value=line.style)
        self.flags |= line.flags
        for text in line.lost:
            self.lost(node, text)
        for name in self.fields:
            if name not in line.flags and not any(f"--{name}" in text for text in line.lost):
                self.lost(node, f"the command does not use {name}; here the script gets --{name}")

    # -- the end -------------------------------------------------------------------------------------------------------

    def finish(self) -> Imported:
        """Returns the import, with names that a class can have, and what is missing filled with examples."""
        if not self.study.get("search"):
            self.to_fill("search", "the file searches nothing; write what to search")
        if self._renamed is not None:
            node, text = self._renamed
            has_pattern = "regex" in self.study.get("objective", {})
            (self.converted if has_pattern else self.lost)(node, text)
        if self._grid is not None:
            self._finish_grid(self._grid)
        self._rename()
        self._fill()
        return Imported(self.name, self.study, self.fields, self.notes, self.open)

    def _finish_grid(self, node: Node) -> None:
        """Decides whether a grid is possible: a study has a trial for each of its points."""
        size = math.prod(domain_from_spec(spec).size for spec in self.study.get("search", {}).values())
        most = self.study.get("budget", {}).get("max_trials", size)
        if math.isfinite(size) and size <= most:
            self.put("budget", "max_trials", value=int(size))
            self.converted(node, f"algorithm.name: grid, all {int(size)} points")
            return
        self.put("algorithm", "name", value="random")
        if math.isinf(size):
            self.lost(node, "random: a grid needs lists or steps, but some ranges are continuous")
        else:
            self.lost(
                node, f"random: a grid has a trial for each point, but there are {int(size)} points and {most} trials"
            )

    def _check_new(self, name: str, node: Node) -> None:
        for other in self.fields:
            if other == name:
                raise node.fail(f"the hyperparameter {name!r} is there twice")
            if other.startswith(f"{name}.") or name.startswith(f"{other}."):
                raise node.fail(
                    f"a hyperparameter is a value or a group, but {name!r} and {other!r} are both; rename one of them"
                )

    def _rename(self) -> None:
        """Gives the fields names that a class can have, and says what the script gets then."""
        spelled = {raw: self.flags.get(raw, raw) for raw in self.fields}
        with_dash = [text for text in spelled.values() if "-" in text.strip("-")]
        with_underscore = [text for text in spelled.values() if "_" in text.strip("_") and "-" not in text]
        dashes = bool(with_dash) and not with_underscore
        if dashes:
            self.put("step", "arguments", "names", value="dashes")
        names: dict[str, str] = {}
        for raw, text in spelled.items():
            name = field_name(text)
            while name in names.values():
                name += "_"
            names[raw] = name
            self._note_name(raw, text, name, name.replace("_", "-") if dashes else name)
        self.fields = {names[raw]: each for raw, each in self.fields.items()}
        for section in ("search", "values"):
            if section in self.study:
                self.study[section] = {names[raw]: value for raw, value in self.study[section].items()}
        if "points" in self.study:
            self.study["points"] = [{names[raw]: value for raw, value in each.items()} for each in self.study["points"]]
        settings = self.study.get("algorithm", {}).get("settings", {})
        if settings.get("resource_name") in names:
            settings["resource_name"] = names[settings["resource_name"]]
        keys = {f"search.{raw}": f"search.{name}" for raw, name in names.items()}
        self.open = [Open(keys.get(each.key, each.key), each.text) for each in self.open]

    def _note_name(self, raw: str, text: str, name: str, taken: str) -> None:
        if taken != text:
            why = f"a field cannot be called {text!r}: the script gets --{taken}, so rename it there"
            self.notes.append(Note("lost", raw, None, why))
        elif name != raw:
            self.notes.append(Note("converted", raw, None, f"the field is {name}: the argument is --{taken}"))

    def _fill(self) -> None:
        step = self.study.setdefault("step", {})
        if self.options.command:
            step["command"] = [*self.options.command]
        if self.options.image:
            step["image"] = self.options.image
        if "objective" not in self.study and "objectives" not in self.study:
            self.study["objective"] = {"metric": "loss", "direction": "minimize"}
            self._to_fill_too("objective", "the file names no metric; write the one that counts, and its direction")
        if "command" not in step and "module" not in step:
            step["command"] = ["python", "train.py"]
            self._to_fill_too(
                "step.command", "the file names no script; python train.py is an example (or give --command)"
            )
        if "image" not in step:
            step["image"] = f"registry.example/{study_name(self.name)}:1"
            self._to_fill_too(
                "step.image", "for a cluster: an image with the script and what it imports (or give --image)"
            )
