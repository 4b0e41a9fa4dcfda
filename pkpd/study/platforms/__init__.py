"""The same treatments on preclinical platforms and in patients: doses, effects, and what carries over.

The noun is in plan, its file is read in reading; experiment simulates, translation compares. A mouse is never
a patient: sets say their host.
"""
