"""All that the stores use of CacheLib without its leave: a later release may change it, so setup.cfg caps that."""

from __future__ import annotations

from typing import Any


def threshold(cache: Any) -> int:
    """Return how many records a cache in files or memory holds before it drops some; 0 for any number."""
    return int(cache._threshold)


def folder(cache: Any) -> str:
    """Return where a cache in files keeps them."""
    return str(cache._path)


def unfinished_suffix(cache: Any) -> str:
    """Return how the names of files end that a cache in files leaves alone, as it has not finished them."""
    return str(cache._fs_transaction_suffix)


def redis_client(cache: Any) -> Any:
    """Return the client with which a cache writes to Redis."""
    return cache._write_client


def memcached_client(cache: Any) -> Any:
    """Return the client of a cache in memcached."""
    return cache._client
