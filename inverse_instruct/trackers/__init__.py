"""What a run has measured, handed to the trackers that people have: one protocol, a file for each."""
