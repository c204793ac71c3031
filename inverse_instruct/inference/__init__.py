"""Talking to models: the server that runs one, and the client that asks it."""
