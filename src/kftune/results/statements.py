"""The SQL statements of `Store`, which write the rows of trials with their checksums."""

from __future__ import annotations

from kftune.results.records import FINISHED, Origin, TrialEnd, TrialStart
from kftune.results.tables import CHECKED, FORMAT, select, setting

_FINISHED = ", ".join(f"'{state}'" for state in FINISHED)
SELECT = select(FORMAT)
ROW = f"SELECT {', '.join(CHECKED)} FROM trials WHERE number = ?"  # noqa: S608  # the names in it are our own
ALL_FINISHED = f"SELECT {', '.join(CHECKED)} FROM trials WHERE state IN ({_FINISHED}) ORDER BY number"  # noqa: S608
_FIXED = {"state": "'Running'", "metrics": "'{}'", "message": "''", "stopped_by": "''"}
_STARTED = {name: _FIXED.get(name, "NULL") for name in CHECKED} | {
    name: f":{name}" for name in CHECKED if name in {*TrialStart._fields, *Origin._fields}
}
INSERT = (
    f"INSERT OR REPLACE INTO trials ({', '.join(CHECKED)}, checksum) VALUES ({', '.join(_STARTED.values())}, "  # noqa: S608
    f"checksum_of_row({', '.join(_STARTED.values())}))"
)
GO_ON = (
    "UPDATE trials SET "  # noqa: S608
    + setting(
        **{name: _STARTED[name] for name in ("state", "attempt", "message", "ended", "exit_code")},
        **{name: _STARTED[name] for name in ("pid", "pid_started", "code", "revision", "retried")},
    )
    + " WHERE number = :number"
)
END = (
    "UPDATE trials SET "  # noqa: S608
    + setting(**{name: f":{name}" for name in TrialEnd._fields}, pid="NULL", pid_started="NULL")
    + f" WHERE number = :number AND state NOT IN ({_FINISHED})"
)
# Numbers of processes of another start of the machine.
FORGET = f"UPDATE trials SET {setting(pid='NULL', pid_started='NULL')} WHERE pid IS NOT NULL"  # noqa: S608
_CLEARED = {"metrics": "'{}'", "objective": "NULL", "exit_code": "NULL"}
AGAIN = (
    "UPDATE trials SET "  # noqa: S608
    + setting(state="'Killed'", assignment=":assignment", message=":message", **_CLEARED)
    + " WHERE number = :number"
)
