"""Where people meet the system: the command line, the local supervisor, the demo."""
