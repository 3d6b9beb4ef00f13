from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [["--help"], ["schema", "study"]])
def test_a_reader_that_has_exited_gives_the_code_of_a_broken_pipe_and_no_text(arguments: list[str]):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "kftune", *arguments]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
