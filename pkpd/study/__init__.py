"""What-if studies: a file says who is treated how and what is read; a run gives rows, draw by draw.

Each kind has a folder: its noun (plan), its file's reading, what it computes. Cycles before an operation, the
first kind, are here. Kinds are found by one table (kinds). Trials and fits are known from below; pages, which
are made of a study's result, are not.
"""
