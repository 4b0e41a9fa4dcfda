"""What is given when: dose lines, cycles, courses, rules; and the events that they are to patients.

A file is read (reading, dose_reading) to a Regimen, changed by its methods (modifications), and lowered onto
drawn patients to a Schedule of events (lowering, schedule). Rules are carried, not applied: that takes
states. Models and patients are known from below; no solution is.
"""
