"""Lists of stages: what a run plays, by the name that its config gives."""
