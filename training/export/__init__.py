"""Export: a model in a form that runs where Sluicegate does not."""
