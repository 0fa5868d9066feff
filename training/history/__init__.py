"""Past events from a file: their features by either engine, and the history and state made of them."""
