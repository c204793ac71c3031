"""A run under way: checked, pinned, played round by round."""
