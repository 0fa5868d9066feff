"""Fitting: the model families behind one shape, calibrated."""
