"""Everything that this project renders, as texts for a cluster: manifests/, and the examples of README.md and docs/."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cluster_run import kubectl
from document_blocks import DOCUMENTS, blocks, whole
from places import ROOT

from kftune import yaml_text
from kftune.errors import RenderError
from kftune.experiments.file import Experiments
from kftune.katib.go.reading import pieces, read
from kftune.project import Project
from kftune.render import PIPELINE_TARGETS, TARGETS, render, render_pipeline
from kftune.spec.kind import kind_of
from kftune.study import Study

_KUSTOMIZATION = "kustomization.yaml"
_RENDERED = re.compile(r"\.(katib|argo|argo-run|kfp|kfp-objects)\.yaml$")
_OF_KFTUNE = re.compile(r"kftune (new|render) ")


class Object(NamedTuple):
    """One document of a rendered file."""

    source: str
    text: str
    content: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its apiVersion and kind; that of a file that KFP takes as an upload is the file's own."""
        content = self.content
        return f"{content['apiVersion']} {content['kind']}" if "kind" in content else "pipeline to upload to KFP"

    @property
    def name(self) -> str | None:
        """Its name; None where the server makes one up."""
        metadata = self.content.get("metadata", {})
        return str(metadata["name"]) if "name" in metadata else None


class Rendered(NamedTuple):
    """A file, or a kustomization, that is given to a cluster as one."""

    source: str
    text: str

    def objects(self) -> list[Object]:
        """Returns its documents."""
        read_pieces = ((piece.text, read(piece.text)) for piece in pieces(self.text))
        return [Object(self.source, text, content) for text, content in read_pieces if isinstance(content, dict)]

    def moved(self, namespace: str) -> Rendered:
        """Returns it with all that it has in a namespace in another one, wherever its texts say so."""
        named = {str(one.content["metadata"]["namespace"]) for one in self.objects() if _has_namespace(one)}
        assert len(named) <= 1, f"{self.source} has objects in several namespaces: {sorted(named)}"
        text = self.text
        for name in named:
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", namespace, text)
        return Rendered(self.source, text)


def _has_namespace(one: Object) -> bool:
    return bool(one.content.get("metadata", {}).get("namespace"))


def rendered_in(folder: Path, name: str) -> Iterator[Rendered]:
    """Yields the kustomizations below a folder as kubectl builds them, and the files that belong to none.

    Args:
        folder: The folder.
        name: What stands for the folder in the names of the sources.

    Raises:
        AssertionError: A file belongs to no kustomization and is not of a name that kftune gives to an object.
    """
    parts: set[Path] = set()
    for file in sorted(folder.rglob(_KUSTOMIZATION)):
        content: Any = yaml_text.load_file(file)
        patches = [patch["path"] for patch in content.get("patches", ())]
        parts |= {file, *((file.parent / part).resolve() for part in (*content["resources"], *patches))}
        yield Rendered(f"{name}{file.parent.relative_to(folder)}/", kubectl(["kubectl", "kustomize", str(file.parent)]))
    for file in sorted(folder.rglob("*.yaml")):
        if file.resolve() not in parts:
            assert _RENDERED.search(file.name), f"{file} is neither of a kustomization nor an object of its own"
            yield Rendered(f"{name}{file.relative_to(folder)}", file.read_text(encoding="utf-8"))


class NotRendered(NamedTuple):
    """An example that kftune does not render on its own, with what it says."""

    source: str
    message: str


def rendered_by_documents(scratch: Path) -> Iterator[Rendered | NotRendered]:
    """Yields what the blocks of README.md and docs/ render or show, and what their studies and pipelines render to.

    Args:
        scratch: An empty folder.
    """
    for document in DOCUMENTS:
        source = str(document.relative_to(ROOT))
        shutil.copytree(ROOT / "pipelines", scratch / source / "pipelines")
        yield from _rendered_by(document, source, scratch / source)


def _rendered_by(document: Path, source: str, folder: Path) -> Iterator[Rendered | NotRendered]:
    shown = []
    for number, block in enumerate(blocks(document), 1):
        if block.file:
            file = folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.code)
            shown += [block.file] if block.language == "yaml" else []
        elif block.reason is None and block.language == "sh":
            lines = [line for line in block.code.splitlines() if _OF_KFTUNE.match(line)]
            done = _run(lines, folder)
            assert done.returncode == 0, f"{source}: {lines}\n{done.stdout}\n{done.stderr}"
        elif block.reason is None and block.language == "yaml":
            yield from _rendered_part(f"{source}, block {number}", block.code)
    for path in shown:
        yield from _rendered_file(folder, path, source)
    for made in ("build", "manifests"):
        yield from rendered_in(folder / made, f"{source}, {made}/")


def _rendered_part(source: str, code: str) -> Iterator[Rendered | NotRendered]:
    made = whole(code)
    if isinstance(made, (Project, Experiments)):  # a project renders the files of a folder; a list has its own command
        return
    for target in TARGETS if isinstance(made, Study) else PIPELINE_TARGETS:
        try:
            documents = (render(made) if isinstance(made, Study) else render_pipeline(made, target)).documents
        except RenderError as error:
            yield NotRendered(f"{source} for {target}", str(error))
        else:
            yield Rendered(f"{source} for {target}", yaml_text.dump_all(documents))


def _rendered_file(folder: Path, path: str, source: str) -> Iterator[Rendered | NotRendered]:
    kind = kind_of(yaml_text.load_file(folder / path)).name
    if kind == "Experiment":
        yield Rendered(f"{source}, {path}", (folder / path).read_text(encoding="utf-8"))
    for target in {"study": TARGETS, "pipeline": PIPELINE_TARGETS}.get(kind, ()):
        out = f"shown/{path}/{target}"
        done = _run([f"kftune render {path} --target {target} --out {out}"], folder)
        yield from rendered_in(folder / out, f"{source}, {path} for {target}: ")
        if done.returncode != 0:
            yield NotRendered(f"{source}, {path} for {target}", done.stderr)


def _run(lines: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    code = "\n".join(["set -eu", f"kftune() {{ '{sys.executable}' -m kftune \"$@\"; }}", *lines])
    return subprocess.run(["bash", "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def without_repeats(given: Sequence[Rendered]) -> list[Rendered]:
    """Returns the first of each text."""
    first: dict[str, Rendered] = {}
    for one in given:
        first.setdefault(one.text, one)
    return list(first.values())


def in_few_namespaces(given: Sequence[Rendered]) -> list[list[Rendered]]:
    """Returns the sets for each of a few namespaces: two objects of one kind and name are never in the same."""
    groups: list[tuple[set[tuple[str, str | None]], list[Rendered]]] = []
    for one in given:
        names = {(part.kind, None if part.content.get("kind") == "Namespace" else part.name) for part in one.objects()}
        names -= {(part.kind, None) for part in one.objects() if part.content.get("kind") != "Namespace"}
        taken, members = next((group for group in groups if not group[0] & names), (set(), []))
        if not members:
            groups.append((taken, members))
        taken |= names
        members.append(one)
    return [members for _, members in groups]


def counted(objects: Collection[Object]) -> str:
    """Returns how many there are of each kind, for people."""
    return ", ".join(f"{kind}: {count}" for kind, count in sorted(Counter(one.kind for one in objects).items()))
