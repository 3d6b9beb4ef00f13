"""Places the steps of a pipeline in KFP's groups: loops and conditions contain their steps.

In KFP only steps inside a group can use its outputs, with two exceptions: `dsl.Collected` collects the outputs of a
loop, and `dsl.OneOf` takes either branch of a condition. So a step that is skipped together with another one is in the
same condition, and a step with a default for an output that may be skipped gets the default from the other branch.

Source: kfp 2.17, compiler/compiler_utils.get_dependencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kftune.errors import RenderError
from kftune.pipeline import Argument, ItemReference, Node, OutputReference, Pipeline


class Group(NamedTuple):
    """A loop, or the condition of a step."""

    kind: Literal["loop", "when"]
    name: str
    """The name of the loop or step."""


Chain = tuple[Group, ...]
"""The groups that a step is in, from the outermost to the innermost."""


@dataclass
class Block:
    """The whole pipeline, or one group: steps and groups, each after the ones that it needs."""

    group: Group | None = None
    items: list[Node | Block] = field(default_factory=list)

    @property
    def nodes(self) -> Iterable[Node]:
        """All steps of the block."""
        for item in self.items:
            yield from item.nodes if isinstance(item, Block) else (item,)


class Placing:
    """Finds the groups of all steps.

    Args:
        pipeline: The pipeline.

    Raises:
        RenderError: KFP cannot run it.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._nodes: Mapping[str, Node] = pipeline.plan.nodes
        self._pipeline = pipeline
        self.chains: dict[str, Chain] = {}
        for name, node in self._nodes.items():
            if name in self.chains:
                continue
            if node.loop is None:
                self.chains[name] = self._chain(node, [self.chains[other] for other in self._needed_steps(node)], ())
            else:
                self._place_loop(node.loop)
        for node in self._nodes.values():
            self._check(node)

    def block(self) -> Block:
        """Returns the pipeline as nested groups."""
        return self._block(None, list(self._nodes), 0)

    def from_other_branch(self, node: Node, argument: Argument) -> bool:
        """Returns whether an argument comes from a condition that the step is not in, so that its default may apply.

        Args:
            node: The step.
            argument: Its argument.
        """
        return bool(
            argument.producer
            and not argument.fan_in
            and not _is_within(self.chains[argument.producer], self.chains[node.name])
        )

    def _place_loop(self, loop: str) -> None:
        """Places a loop inside all groups from which its items and steps take values."""
        members = [self._nodes[name] for name in self._pipeline.members(loop)]
        inside = {node.name for node in members}
        source = self._pipeline.loops[loop].source
        outer = [self.chains[source.step]] if isinstance(source, OutputReference) else []
        for node in members:
            outer += [self.chains[name] for name in self._needed_steps(node) if name not in inside]
        base = (*self._longest(outer, f"loop {loop!r}"), Group("loop", loop))
        for node in members:
            within = [self.chains[name] for name in self._needed_steps(node) if name in inside]
            self.chains[node.name] = self._chain(node, within, base)

    def _chain(self, node: Node, needed: list[Chain], base: Chain) -> Chain:
        chain = self._longest([base, *needed], f"step {node.name!r}")
        return chain if node.condition is None else (*chain, Group("when", node.name))

    def _longest(self, chains: list[Chain], what: str) -> Chain:
        longest = max(chains, key=len, default=())
        for chain in chains:
            if not _is_within(chain, longest):
                first, second = chain[-1], longest[-1]
                raise RenderError(
                    f"KFP cannot skip a step for two independent reasons, but {what} depends on the "
                    f"{_description(first)} and on the {_description(second)}; give one of the inputs a default"
                )
        return longest

    def _needed_steps(self, node: Node) -> list[str]:
        """Returns the steps that a step or its condition needs, apart from collected outputs of loops."""
        names = [
            argument.producer
            for argument in node.arguments.values()
            if argument.producer and not argument.fan_in and argument.default is None and not argument.optional
        ]
        if node.condition is not None:
            names += [side.step for side in node.condition.references if isinstance(side, OutputReference)]
        return names

    def _check(self, node: Node) -> None:
        chain = self.chains[node.name]
        self._check_fields(node, chain)
        for name in node.waits_only:
            foreign = _foreign(self.chains[name], chain)
            if foreign and foreign[0].kind == "when":
                raise RenderError(
                    f"KFP cannot wait for a step that may be skipped, but step {node.name!r} runs after {name!r}, "
                    f"which depends on the {_description(foreign[0])}; use an output with a default instead of after"
                )
        for argument in node.arguments.values():
            if argument.producer is not None:
                self._check_argument(node, argument, _foreign(self.chains[argument.producer], chain))

    def _check_fields(self, node: Node, chain: Chain) -> None:
        """Checks that no step inside a condition of its loop takes a field of an item that is known before the run.

        Source: kfp 2.17, compiler: get_inputs_for_all_groups gives a condition the field, and
        build_task_spec_for_task looks for the item.
        """
        if node.loop is None or self._pipeline.loops[node.loop].entries is None:
            return
        inside = chain[chain.index(Group("loop", node.loop)) + 1 :]
        for argument in node.arguments.values():
            if inside and isinstance(argument.source, ItemReference) and argument.source.field is not None:
                raise RenderError(
                    f"KFP's compiler cannot pass a field of a loop's item into a condition, but step {node.name!r} "
                    f"takes {argument.name} from {argument.source} inside the {_description(inside[-1])}; let a step "
                    f"of the loop before the condition write it as its output, and take that"
                )

    def _check_argument(self, node: Node, argument: Argument, foreign: Chain) -> None:
        what = f"step {node.name!r} takes {argument.name} from {argument.producer!r}"
        if argument.fan_in:
            if any(group.kind == "when" for group in foreign):
                raise RenderError(
                    f"KFP cannot collect an output that only some items have, but {what}, which may be skipped; "
                    f"remove the condition from the loop, or check it in the step"
                )
        elif foreign and argument.optional:
            raise RenderError(
                f"an artifact cannot be missing in KFP, but {what}, which may be skipped; "
                f"use a parameter with a default, or let the step be skipped too (optional: false)"
            )
        elif len(foreign) > 1:
            raise RenderError(
                f"KFP supports a default for an output that one condition skips, but {what}, which depends on "
                f"{' and '.join(f'the {_description(group)}' for group in foreign)}"
            )

    def _block(self, group: Group | None, names: list[str], depth: int) -> Block:
        """Returns the block of one group; steps that share a further group form a block inside it."""
        parts: dict[Group | str, list[str]] = {}
        for name in names:
            chain = self.chains[name]
            parts.setdefault(chain[depth] if len(chain) > depth else name, []).append(name)
        part_of = {name: part for part, members in parts.items() for name in members}
        waits = {
            part: {part_of[other] for name in members for other in self._before(name) if other in part_of} - {part}
            for part, members in parts.items()
        }
        block = Block(group)
        for part in self._sorted(waits):
            members = parts[part]
            block.items.append(self._nodes[part] if isinstance(part, str) else self._block(part, members, depth + 1))
        return block

    def _before(self, name: str) -> Iterable[str]:
        node = self._nodes[name]
        yield from node.dependencies
        if node.loop is not None and isinstance(source := self._pipeline.loops[node.loop].source, OutputReference):
            yield source.step

    def _sorted(self, waits: Mapping[Group | str, set[Group | str]]) -> list[Group | str]:
        found: list[Group | str] = []
        left = dict(waits)
        while left:
            part = next((part for part, others in left.items() if not others & left.keys()), None)
            if part is None:
                names = ", ".join(repr(part.name if isinstance(part, Group) else part) for part in left)
                raise RenderError(
                    f"KFP runs a condition or loop as a whole, but these would wait for each other: {names}"
                )
            found.append(part)
            del left[part]
        return found


def takes_item(node: Node) -> bool:
    """Returns whether a step, or its condition, takes the item of its loop or a field of it."""
    sources = [argument.source for argument in node.arguments.values()]
    return any(isinstance(source, ItemReference) for source in (*sources, *_asked(node)))


def _asked(node: Node) -> Iterable[object]:
    return () if node.condition is None else node.condition.references


def _is_within(outer: Chain, inner: Chain) -> bool:
    return inner[: len(outer)] == outer


def _foreign(producer: Chain, consumer: Chain) -> Chain:
    """Returns the groups of the producer that the consumer is not in."""
    shared = 0
    for one, other in zip(producer, consumer, strict=False):
        if one != other:
            break
        shared += 1
    return producer[shared:]


def _description(group: Group) -> str:
    return f"loop {group.name!r}" if group.kind == "loop" else f"condition of step {group.name!r}"
