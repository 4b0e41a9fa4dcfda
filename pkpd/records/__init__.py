"""NONMEM-style tables of dosing records: cells, rows, patients, events, and one row of results a record.

A table is read (sheet, table, dates), checked row by row (check), lowered to a Schedule (inputs, dosing,
clock) and run. All that speaks of data items, rows and columns is here; trials, fits and studies are not
known, and published exposures, the room beside, know nothing of records either.
"""
