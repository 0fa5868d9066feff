"""Boosted trees packed for one core: read from an artifact, walked by compiled kernels."""
