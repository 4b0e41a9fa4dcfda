"""Published exposures of drugs (peaks, troughs, areas, half-lives) set beside virtual patients."""
