"""The report of a study: one self-contained HTML page, its figures, and its rows as JSON and CSV.

A study's page is written by the file of its name, from sentences (`_reading`, `_words`, `_sentences`), tables
(`_tables`) and figures (`_figures`) that are made from the numbers of its result alone. Nothing is simulated
and nothing is estimated here; results come from study, and only the command line is above.
"""
