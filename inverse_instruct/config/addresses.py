"""Base URLs of servers as a config may name them."""

from __future__ import annotations

from urllib.parse import urlsplit


def check_urls(urls: list[str]) -> list[str]:
    """Return base URLs as they are.

    Raises:
        ValueError: one is no URL, or holds a password, which would be written to `run.yaml`.
    """
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"endpoint {url!r} is not a URL; write http://HOST:PORT")
        if "@" in parts.netloc:
            raise ValueError(
                f"the endpoint on {parts.hostname} holds a password, which would be written to run.yaml; "
                "leave it out and set INVERSE_INSTRUCT_API_KEY, which is sent as a bearer token"
            )
        if parts.query or parts.fragment:
            raise ValueError(
                f"the endpoint on {parts.hostname} has more than a path; write http://HOST:PORT, and set "
                "INVERSE_INSTRUCT_API_KEY where it asks for a key"
            )
    return urls
