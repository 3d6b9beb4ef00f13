"""Which schedules a pipeline may have."""

from __future__ import annotations

import pytest

from kftune.errors import KftuneError
from kftune.pipeline.schedule import Schedule


@pytest.mark.parametrize("cron", ["*/15 * * * *", "0 1-5/2 * jan,DEC mon-fri", "5/20 0,12 31 * 0", "@daily"])
def test_numbers_names_ranges_and_steps_are_taken(cron: str) -> None:
    assert Schedule(cron=cron).cron == cron


@pytest.mark.parametrize("minute", ["60", "*/0", "*/00", "5-3", "*-3", "x", "1-", ""])
def test_a_field_without_a_time_is_refused(minute: str) -> None:
    with pytest.raises(KftuneError, match="cron"):
        Schedule(cron=f"{minute} 1 * * *")


@pytest.mark.parametrize(
    ("hours", "meets"),
    [("2", True), ("0-1", True), ("*/3", True), ("22/1", False), ("4", False), ("*", False), ("0-23", False)],
)
def test_single_hours_of_the_night_meet_the_changes_of_clocks(hours: str, meets: bool) -> None:
    assert Schedule(cron=f"30 {hours} * * *", timezone="Europe/Berlin").meets_clock_changes is meets
