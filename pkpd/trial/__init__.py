"""A trial: protocol, arms, treatments, published figures; patients taken through it to readouts and figures.

A file is read (reading, lines, arms, therapies, published), checked line by line (idle), its arms set up
(setting, prepare) and run (run): around an operation (surgery) or followed by scans (followed, scans). What
patients come to is a Readout; figures come from it (survival, figures). Fits and studies are not known.
"""
