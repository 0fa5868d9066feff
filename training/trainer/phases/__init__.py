"""The phases of a training run, in their order: prepare, fit, judge, refit, keep."""
