"""Simulator against RTL: the same matmuls through both, compared exactly."""
