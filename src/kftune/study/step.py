"""The step that each trial of a study runs."""

from __future__ import annotations

from kftune.spec.container import Command, ContainerSettings, WorkingData
from kftune.spec.labels import DnsLabel


class Step(ContainerSettings, Command):
    """One container of a trial. It is run by `module`, or by `command`."""

    name: DnsLabel = "train"
    """Name of the container."""
    data: WorkingData = WorkingData()
    """The data that trials read."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        self.check_command()
        super().model_post_init(context)
