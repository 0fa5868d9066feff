"""The demo: the whole system on a simulated stream, and a verdict on what it did."""
