"""Rows of four tasks (WaveCoder): how they are asked for, read, tried, judged and remembered."""
