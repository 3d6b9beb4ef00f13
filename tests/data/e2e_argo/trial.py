"""A trial that takes a few seconds: Katib's collector must find its process."""

import sys
import time

import kftune

given = dict(token[2:].split("=", 1) for token in sys.argv[1:])
time.sleep(4)
kftune.report(loss=float((int(given["x"]) - 2) ** 2))
