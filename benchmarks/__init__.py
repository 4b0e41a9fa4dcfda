"""Speed, accuracy and scale of the engine beside other tools; no part of the package."""
