"""Texts as Go and the API machinery read them: YAML, JSON into typed fields, numbers, regexes, quantities."""
