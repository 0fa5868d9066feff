"""The model card: one page for people about one version, drawn at the end of the run that made it."""
