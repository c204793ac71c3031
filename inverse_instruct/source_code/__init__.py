"""Code as text: in which language it is, whether it parses, what it defines."""
