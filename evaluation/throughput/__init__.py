"""Programs run by hand that hold this package against other harnesses: verdicts and speed."""
