"""Pictures of Khmer numbers, drawn from the digits of real fonts, and data sets of them: see `docs/ocr.md`."""
