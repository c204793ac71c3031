"""Plays the runs of one folder in the background, and the REST API to them."""
