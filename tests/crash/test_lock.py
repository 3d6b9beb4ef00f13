"""The lock of a folder holds for what the folder's path leads to, also when the folder is moved at the wrong moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest
from local_study import run, study, trials_in

from kftune.errors import StoreError
from kftune.results import lock
from kftune.results.kept.pruning import plan
from kftune.results.kept.removing import remove


@pytest.fixture
def before_flock(monkeypatch) -> Callable[[Callable[[], object]], None]:
    """Does something once between the open of a lock and its flock, as another process may."""

    def install(happens: Callable[[], object]) -> None:
        waiting, locked = [happens], lock._locked

        def later(descriptor: int) -> bool:
            while waiting:
                waiting.pop()()
            return locked(descriptor)

        monkeypatch.setattr(lock, "_locked", later)

    return install


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_a_folder_that_is_moved_between_open_and_flock_is_locked_where_the_path_leads(
    tmp_path, before_flock, is_made_anew
):
    path = tmp_path / "runs" / "lock"
    path.parent.mkdir()

    def move() -> None:
        path.parent.rename(tmp_path / "aside")
        [path.parent.mkdir() for _ in range(is_made_anew)]

    before_flock(move)
    held = lock.take_lock(path)
    assert os.path.samestat(os.fstat(held), path.stat())
    assert lock.writer_of(path) == str(os.getpid())
    assert lock.writer_of(tmp_path / "aside" / "lock") is None
    os.close(held)


def test_a_run_that_waited_for_the_lock_of_a_folder_that_fresh_moved_is_refused(tmp_path, before_flock):
    path, taken = tmp_path / "runs" / "lock", list[int]()
    path.parent.mkdir()

    def move_and_hold() -> None:
        path.parent.rename(tmp_path / "aside")
        taken.append(lock.take_lock(path))

    before_flock(move_and_hold)
    with pytest.raises(StoreError, match="only one run at a time"):
        lock.take_lock(path)
    os.close(taken[0])


def test_prune_leaves_what_a_run_has_put_in_the_place_of_what_it_planned_to_remove(tmp_path):
    folder = tmp_path / "runs" / "small"
    run(study(trials=3), folder)
    planned = plan(tmp_path, keep_best=1, keep_runs=None)
    assert planned.unneeded
    run(study(trials=3), folder, fresh=True)
    gone, problems = remove(planned.unneeded)
    assert not gone
    assert len(problems) == len(planned.unneeded)
    assert {path.name for path in (folder / "trials").iterdir()} == {trial.name for trial in trials_in(folder)}


def test_a_folder_that_is_removed_while_a_run_waits_is_made_again(tmp_path, before_flock):
    path = tmp_path / "runs" / "lock"
    path.parent.mkdir()
    before_flock(lambda: shutil.rmtree(path.parent))
    os.close(lock.take_lock(path))
    assert path.exists()
