"""What every HTTP server of the project shares: its connections, its errors, and who may act from a web page."""
