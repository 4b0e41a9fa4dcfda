"""The machine: files read and written whole or not at all, what is computed once and kept, where work runs,
and what a public call is to Python (its door, its labels).

No model, dose or unit is known here: this room imports nothing of pkpd but its errors, and every room may
import it.
"""
