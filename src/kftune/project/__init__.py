"""A project: the studies and pipelines of one folder, their namespace, and the overlays."""

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
