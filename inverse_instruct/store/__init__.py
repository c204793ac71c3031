"""The run on disk: files, rows, manifests, journals, the ledger, and what is read from them."""
