"""Reads texts as Go and the API machinery do: YAML, JSON, typed fields, numbers, regexes, quantities."""
