"""Published comparisons, recomputed by this simulator and set beside the published figures."""
