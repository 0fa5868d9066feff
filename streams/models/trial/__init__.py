"""Loading an artifact in a process that may die of it."""
