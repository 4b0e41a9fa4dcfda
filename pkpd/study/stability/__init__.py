"""Stability of a disease: eigenvalues, equilibria and folds, dormancy against escape, laws measured.

The noun is in plan, its file is read in reading and entries; reduction is the system at one volume, and
everything measured on it is held against simulations of the whole system (basins, conservation).
"""
