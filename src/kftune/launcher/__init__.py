"""The program of a tune step, or one on several nodes, on a cluster: creates an object, waits, writes the outputs.

`kftune.render.launching` makes its command line. It can be started again at any time: the object's
name comes from the run, so a second launcher attaches to the object of the first one.
"""
