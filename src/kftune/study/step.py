"""The step that each trial of a study runs."""

from __future__ import annotations

from kftune.spec.container import Command, ContainerSettings, WorkingData
from kftune.spec.labels import DnsLabel
from kftune.spec.part import PartError


class Step(ContainerSettings, Command):
    """One container of a trial. It is run by `module`, or by `command`."""

    name: DnsLabel = "train"
    """Name of the container."""
    data: WorkingData = WorkingData()
    """The data that trials read."""
    warm: bool | None = None
    """Whether trials on this machine share what `module` imports. Default: if that is torch."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        self.check_command()
        if self.warm and not self.module:
            raise PartError(
                "trials share the imports of a module, but this step has a command; give it module: package.module, or "
                "leave out warm",
                ("warm",),
            )
        super().model_post_init(context)
