"""Reads the shell commands of trials: words, lines, and what reaches the program."""
