"""NONMEM's data items: the words of a table of records, which no parameter of a model may be named as."""

from __future__ import annotations

WORDS = ("ID", "TIME", "EVID", "AMT", "CMT", "SS", "II", "ADDL", "RATE", "DUR")
DATES = {
    "DATE": "month day year",
    "DAT1": "day month year",
    "DAT2": "year month day",
    "DAT3": "year day month",
}
# what would change the meaning of rows if it were passed over: refused where it is not 0
REFUSED = {
    "CALL": (
        "asks NONMEM to call its routines, which has no meaning here",
        "leave the column out: every row is evaluated",
    ),
    "PCMT": (
        "asks for the prediction of one compartment",
        "leave the column out: a row shows every compartment",
    ),
    "CONT": ("continues a record on the next row", "give each record one row"),
    "TINF": ("is the duration of an infusion", "name the column DUR"),
}
HARMLESS = ("DV", "MDV", "L1", "L2")
OWN = ("C", "FAILED")  # the flag of rows that are left out, and a column of results
RESERVED = frozenset((*WORDS, *DATES, *REFUSED, *HARMLESS, *OWN))
