"""What the stores use of CacheLib is there: an unfriendly release of it fails here first, and says where."""

from __future__ import annotations

from pathlib import Path

from cachelib import FileSystemCache, MemcachedCache, RedisCache, SimpleCache
from redis import Redis

from flask_passkey.pending import internals


def test_files(tmp_path: Path) -> None:
    """A cache in files has a threshold and a folder, and does not count what has not been finished."""
    cache = FileSystemCache(str(tmp_path), threshold=7)
    assert (internals.threshold(cache), internals.folder(cache)) == (7, str(tmp_path))
    name = f"passkey{internals.unfinished_suffix(cache)}"
    (tmp_path / name).mkdir()
    cache.set("name", "value")
    assert cache.clear()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [name]


def test_memory() -> None:
    """A cache in memory has a threshold, and takes attributes."""
    cache = SimpleCache(7)
    assert internals.threshold(cache) == 7
    assert vars(cache).setdefault("_passkey_records", {}) is vars(cache)["_passkey_records"]


def test_redis() -> None:
    """A cache in Redis writes with the client that it was given."""
    client = Redis()
    assert internals.redis_client(RedisCache(client)) is client


def test_memcached() -> None:
    """A cache in memcached uses the client that it was given."""
    client = object()
    assert internals.memcached_client(MemcachedCache(client)) is client
