"""Power of gate-level netlists: Liberty libraries, netlists, activity, energy per cycle."""
