"""`StudyAlone`: runs one study until it is over.

It has one thread, which waits in one `select` only. However the loop ends, no trial's process is left behind.
"""

from __future__ import annotations

from kftune.local.study.engine import StudyEngine
from kftune.local.study.progress import Outcome, Reason
from kftune.local.study.running import attend


class StudyAlone(StudyEngine):
    """A study, or an Experiment, that runs alone."""

    def run(self) -> Outcome:
        """Runs trials until the study is over, then stops the rest."""
        try:
            # After an error, the trials that this kills are still stored as running, so the next run repeats them.
            with self._listener.open():
                self.begin()
                reason = self._loop()
                self._stop_running(reason)
                if reason != "Interrupted":
                    self.end_paused()
                    self.settle()
        except OSError:
            self._store.check_place()
            raise
        finally:
            self._trials.close()
        outcome = self.conclude(reason)
        self._audience.raise_error()
        return outcome

    def _loop(self) -> Reason:
        while True:
            reason = self.over()
            if reason is not None:
                return reason
            while self.start_next():
                pass
            self.settle()
            if self.running:
                if self._may_start_more():
                    self._trials.prepare(self._store.name(self._next_number))
                attend(self._listener, self.seconds_left())
            elif self.over() is None:
                self.end_paused()

    def _stop_running(self, reason: Reason) -> None:
        """Asks the running trials to end, and waits for them; a second interrupt kills them."""
        self.settle()
        self.stop(reason)
        if self.running and reason == "Interrupted":
            grace = self._plan.grace
            stopping = f"stopping {len(self.running)} trials, which may take {grace:g} s; Ctrl-C again kills them"
            self._telling.note(stopping)
        while self.running:
            if self._interrupts.count > (1 if reason == "Interrupted" else 0):
                self._listener.kill()
            attend(self._listener)
            self.settle()
