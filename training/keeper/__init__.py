"""The keeper: sinks what was decided and what became of it, and keeps the models fresh."""
