"""What sets of instruction data are like, and how two of them differ."""
