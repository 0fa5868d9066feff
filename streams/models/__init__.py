"""Models at the worker: the contract they must meet, loading them, following the models topic."""
