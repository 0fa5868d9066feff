"""What-if: stored history decided again, under another policy or by other costs."""
