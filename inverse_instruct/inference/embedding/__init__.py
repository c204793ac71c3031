"""Texts as vectors, by a folder in the layout of sentence-transformers."""
