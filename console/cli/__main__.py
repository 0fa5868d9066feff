"""``python -m console.cli``: how the supervisor starts its processes."""

from console.cli import main

main()
