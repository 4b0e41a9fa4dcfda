"""Values, and the patients that they make: typical values, spread (omega, IIV), copies, covariate effects,
correlations, draws of a fit; and virtual patients drawn from them.

A file is read (reading, lines), laid over others (merge), bound to a model in its units (bind) and drawn
(draw). The registers of covariates and of hosts are content, read here. No doses and no solution are known.
"""
