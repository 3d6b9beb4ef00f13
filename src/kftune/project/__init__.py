"""A project: the studies and pipelines of one folder, the namespace they share, and how its overlays differ."""

from kftune.project.load import LoadedProject, Member, Variant, load_project
from kftune.project.model import Claim, Overlay, Project, ProjectNamespace

__all__ = [
    "Claim",
    "LoadedProject",
    "Member",
    "Overlay",
    "Project",
    "ProjectNamespace",
    "Variant",
    "load_project",
]
