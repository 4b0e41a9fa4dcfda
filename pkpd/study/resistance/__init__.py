"""Who responds, and which mechanism holds the others back.

The noun is in plan; a grid of trials (response_grid), mechanisms and what they are worth (mechanism,
importance), the liver's effect (liver_effect, lesion_pairs). Files are read in reading and in those named so.
"""
