"""What models, parameters, regimens, trials and exposures look like to a reader: plain data, words, tables on
a console, diagrams.

Figures here are of what is in the library; those of a study's result are in report. Nothing is read from the
command line or fitted, and only exposures are simulated, to be drawn beside what was published. Fits and
studies are above this room and unknown here.
"""
