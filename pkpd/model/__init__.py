"""Structure: text to checked equations, of one model or of a system of parts.

A file is read (reading), its parts are joined and made flat (compose, flatten), and units and constants are
checked on the trees of its expressions. No values of parameters, no regimens and no numerical solution are
here: a model names its inputs, and whoever runs it brings them.
"""
