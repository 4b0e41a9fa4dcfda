"""The report of a study: one self-contained HTML page, its figures, and its rows as JSON and CSV."""
