"""Patients' courses over time, and what is read from any course: crossings, areas, sensitivities.

What is asked is checked (check) and solved (run) to a Simulation; treatment gives doses as rules decide visit
by visit; streaming writes crowds of patients in flat memory. Patients, doses and the solver are known from
below; what a trial sees of a patient, and published numbers, are not.
"""
