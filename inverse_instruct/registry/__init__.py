"""Checkpoints as things: verified, promoted, traced back, exported with their cards."""
