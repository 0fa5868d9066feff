"""What the console shows of the store: questions that only read, each in a module with its SQL beside it."""
