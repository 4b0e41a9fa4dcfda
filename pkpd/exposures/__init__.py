"""Published exposures of drugs (peaks, troughs, areas, half-lives) held beside virtual patients.

Here live what was published (`Exposure`, `Evidence`), its reading, the courses simulated for it, how the two
are compared, and the page. Nothing here changes a model or a value: an exposure checks, it never fits. What
trials report is in `pkpd.trial`; how a readout is computed, in `pkpd.simulation.nca`.
"""
