"""The same job on other engines; each file runs in an environment of its own (`environments`)."""
