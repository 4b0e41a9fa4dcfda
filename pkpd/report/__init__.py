"""The report of a study: one self-contained HTML page, its figures, and its rows as JSON and CSV.

The page of a kind of study is written by one file (`page` for neoadjuvant, else the file of its name), from
sentences (`reading`, `_words`, `_sentences`), `_tables` and `_figures` made from the numbers of its result.
Nothing is simulated or fitted here: results come from study, and only the command line is above.
"""
