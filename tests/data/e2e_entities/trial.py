"""A trial of a few seconds: Katib's collector must find its process. Each circuit has a best number of units."""

import sys
import time

import kftune

given = dict(token[2:].split("=", 1) for token in sys.argv[1:])
best = {"PLANT001/CIRCUIT01": 16, "PLANT001/CIRCUIT02": 32, "PLANT002/CIRCUIT01": 48}[given["circuit"]]
time.sleep(4)
kftune.report(loss=abs(int(given["units"]) - best) / 64 + abs(float(given["rate"]) - 0.5))
