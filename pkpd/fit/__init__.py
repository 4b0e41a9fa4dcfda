"""Calibration to published figures: free parameters with priors, one likelihood term a trial, a posterior.

A file is read (reading) to a Fit; likelihood makes its objective, run searches, samples (posterior) and
profiles it, result writes the calibrated set and reads it again. predict holds a trial's figures beside
those of a posterior. What a trial is, and how its patients are treated, is known from below; studies are not.
"""
