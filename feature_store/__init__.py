"""What a pipeline declares, and the features computed from it: the lowest layer."""
