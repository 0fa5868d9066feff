"""From the gate to the champion by stages, and back on alarms."""
