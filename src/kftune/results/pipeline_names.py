"""The names of files of a pipeline's runs; kftune.local.pipeline.folder says what is in them."""

from __future__ import annotations

RUN_FORMAT = "kftune.pipeline-run/1"
"""The format of run.json and done.json; it changes when the meaning of a key changes."""

RUN_FILE = "run.json"
"""In the folder of a run: what runs, and how it ended."""

LOCK = "lock"
"""Locked by the run that writes."""

CACHE = "cache"
"""The folder that says which task of which run has the result of a key."""

STEPS = "steps"
"""In the folder of a run: the folders of its tasks."""

LOG, REQUEST, DONE, STUDY = "log.txt", "tune.json", "done.json", "study"
"""In the folder of a task: what it printed, what a tune step must do, that it has succeeded, a tune step's results."""

RUNNING = "Running"
"""The state in run.json of a run that goes on, or was killed. Its other entries may be those of its first part."""
