"""NONMEM-style tables of dosing records: read, checked, lowered to a Schedule, and run row by row."""
