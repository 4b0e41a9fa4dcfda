"""Text to checked equations: structure only."""
