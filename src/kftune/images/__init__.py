"""The images of a project: a folder below ``images/`` for each, and a lock file of what was built.

A study or a pipeline names such an image by its folder, ``image: images/train``. `resolve` looks it up in the lock: by
digest in the registry for a cluster, by tag for this machine. `kftune.images.own` writes the folders of kftune's own
images, and `kftune.images.build` builds all.
"""

from __future__ import annotations

from kftune.images.lock import LOCK_FILE, PREFIX, Lock, LockedImage, find_lock, lock_of, read_lock, resolve

__all__ = ["LOCK_FILE", "PREFIX", "Lock", "LockedImage", "find_lock", "lock_of", "read_lock", "resolve"]
