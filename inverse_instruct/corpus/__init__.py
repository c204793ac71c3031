"""Corpora: readers, layouts, what is cut out of a response, duplicates and contamination."""
