"""The report of a study: a page that opens offline, and a form of it for a terminal."""
