"""What one sign-in costs each part of a site of two nodes, and how much room accounts and ceremonies take.

``nox -s footprint`` prints the tables of ``docs/operate/capacity.md``. The kernel counts the processor time of each
part's processes, so it includes neither the load generator nor other work on the machine.
"""

from __future__ import annotations

import os
import secrets
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import cluster
from redis import Redis
from sqlalchemy import Engine, create_engine, func, insert, select, text

from demo.accounts import demo_account
from flask_passkey.credentials.sql import passkey_credential, passkey_user
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

SIGN_INS = int(os.environ.get("PASSKEY_FOOTPRINT_SIGN_INS", "2000"))
ROWS = int(os.environ.get("PASSKEY_FOOTPRINT_ROWS", "100000"))
PENDING = 10_000
RUNS = 5
TABLES = (demo_account, passkey_user, passkey_credential)
_TICK = os.sysconf("SC_CLK_TCK")


def processes(parent: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    found = [parent]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu(parent: int) -> float:
    """Return the processor time of a process and its descendants, in seconds; PostgreSQL's backends come and go."""
    total = 0
    for pid in processes(parent):
        # After the name, which may have spaces: user and system time of the process and of its ended children.
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        total += sum(map(int, values))
    return total / _TICK


def listening(port: int) -> int:
    """Return the id of our process that listens on a port."""
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    }
    wanted = {f"socket:[{inode}]" for inode in inodes}
    owners = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if wanted & set(_files(pid))]
    return min(owners)


def _files(pid: int) -> list[str]:
    try:
        return [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # it has ended
        return []


def commands(redis: Redis) -> int:
    """Return the number of commands Redis has been given."""
    info: Any = redis.info("stats")
    return int(info["total_commands_processed"])


def transactions(engine: Engine) -> int:
    """Return the number of transactions PostgreSQL has ended."""
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        query = text("SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database")
        return int(connection.execute(query).scalar() or 0)


def written(engine: Engine) -> int:
    """Return the number of bytes PostgreSQL has written to its log."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_current_wal_insert_lsn() - '0/0'")).scalar() or 0)


def sign_ins(site: cluster.Cluster, authenticators: list[VirtualAuthenticator]) -> None:
    """Sign in ``SIGN_INS`` times, in a thread for each authenticator."""

    def repeat(authenticator: VirtualAuthenticator) -> None:
        for _ in range(SIGN_INS // len(authenticators)):
            sign_in(site.browser(), authenticator)

    with ThreadPoolExecutor(len(authenticators)) as pool:
        list(pool.map(repeat, authenticators))


def cost_of_a_sign_in(site: cluster.Cluster, redis: Redis, engine: Engine) -> None:
    """Print the cost of a start and a finish together."""
    people = [VirtualAuthenticator(cluster.SITE) for _ in range(8)]
    for number, authenticator in enumerate(people):
        sign_up(site.browser(), authenticator, f"person {number}")
    assert site.nginx
    parts = {
        "both nodes (gunicorn)": [node.process.pid for node in site.nodes.values()],
        "nginx, TLS with a new connection for each request": [site.nginx.process.pid],
        "Redis": [listening(site.redis_port)],
        "PostgreSQL": [listening(site.postgresql_port)],
    }
    sign_ins(site, people)  # warm up
    seen: dict[str, list[float]] = {name: [] for name in parts}
    counts = commands(redis), transactions(engine), written(engine)
    for _ in range(RUNS):
        before = {name: sum(map(cpu, pids)) for name, pids in parts.items()}
        sign_ins(site, people)
        for name, pids in parts.items():
            seen[name].append((sum(map(cpu, pids)) - before[name]) / SIGN_INS * 1e6)
    print("\n| part | processor time of a sign-in, microseconds: median (least to most) |\n|---|---|")
    for name, values in seen.items():
        print(f"| {name} | {statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f}) |")
    time.sleep(2)  # PostgreSQL's statistics are delayed
    done = SIGN_INS * RUNS
    print(f"\n{RUNS} runs of {SIGN_INS} sign-ins.", end=" ")
    print(f"A sign-in: {(commands(redis) - counts[0]) / done:.1f} commands of Redis,", end=" ")
    print(f"{(transactions(engine) - counts[1]) / done:.1f} transactions of PostgreSQL", end=" ")
    print(f"and {(written(engine) - counts[2]) / done:.0f} bytes of its log.")


def room_in_redis(site: cluster.Cluster, redis: Redis) -> None:
    """Print the bytes of a pending ceremony and of a session."""
    names = set(redis.scan_iter("session:*", count=1000))
    session = statistics.mean(_bytes(redis, name) for name in names)
    before = redis.info("memory")["used_memory"]
    browsers = [site.browser() for _ in range(PENDING // 50)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda browser: [browser.put("/session/authn") for _ in range(50)], browsers))
    grown = redis.info("memory")["used_memory"] - before
    pending = set(redis.scan_iter("session:passkey:*", count=1000)) - names
    limits = sum(_bytes(redis, name) for name in redis.scan_iter("LIMITS:*", count=1000))
    own = statistics.mean(_bytes(redis, name) for name in pending)
    print(f"\n{len(pending)} pending ceremonies: {own:.0f} bytes each by MEMORY USAGE; used_memory grew by", end=" ")
    print(f"{grown / PENDING:.0f} bytes for each, {limits / PENDING:.0f} of them at most for the limiter's counts.")
    print(f"A session of somebody who is signed in: {session:.0f} bytes.")


def _bytes(redis: Redis, name: bytes) -> int:
    return redis.memory_usage(name) or 0


def room_in_postgresql(engine: Engine) -> None:
    """Print the bytes of an account with one passkey, indexes included."""
    with engine.connect() as connection:
        account, user, credential = (dict(connection.execute(select(t)).mappings().first() or {}) for t in TABLES)
    print("\nOne of the rows:", {name: len(value) for name, value in credential.items() if isinstance(value, bytes)})
    with engine.begin() as connection:
        for start in range(0, ROWS, 5000):
            rows: tuple[list[dict[str, Any]], ...] = ([], [], [])
            for number in range(start, start + 5000):
                identity, handle = secrets.token_hex(16), secrets.token_bytes(len(user["user_handle"]))
                identity = f"{identity[:8]}-{identity[8:12]}-{identity[12:16]}-{identity[16:20]}-{identity[20:]}"
                name = f"person-{number}@example.com"
                rows[0].append(account | {"id": identity, "name": name, "name_key": secrets.token_hex(32)})
                rows[1].append({"user_handle": handle, "user_id": identity})
                own = {"id": secrets.token_bytes(32), "user_handle": handle, "public_key": _public_key()}
                rows[2].append(credential | own)
            for table, values in zip(TABLES, rows, strict=True):
                connection.execute(insert(table), values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (FREEZE, ANALYZE)"))
        print(f"\n| table, {ROWS} rows | row, bytes | with indexes |\n|---|---|---|")
        for table in TABLES:
            size = text("SELECT pg_table_size(:name), pg_total_relation_size(:name), count(*) FROM " + table.name)
            rows_alone, with_indexes, count = connection.execute(size, {"name": table.name}).one()
            print(f"| `{table.name}` | {rows_alone / count:.0f} | {with_indexes / count:.0f} |")


def pages_of_a_sign_in(engine: Engine) -> None:
    """Print how many pages it takes to find and to change a passkey: the number grows with the table."""
    find = "SELECT * FROM passkey_credential JOIN passkey_user USING (user_handle) WHERE id = :key"
    change = "UPDATE passkey_credential SET sign_count = sign_count + 1, last_used_at = now() WHERE id = :key"
    with engine.begin() as connection:
        keys = connection.execute(select(passkey_credential.c.id).order_by(func.random()).limit(200)).scalars().all()
        for what, query in (("find", find), ("change", change)):
            explain = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
            plans = [connection.execute(explain, {"key": key}).scalar_one()[0]["Plan"] for key in keys]
            pages = [plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans]
            print(f"To {what} one of {ROWS} passkeys: {statistics.median(pages):.0f} pages (at most {max(pages)}).")


def _public_key() -> bytes:
    """Return bytes as many and as hard to compress as a key for ES256, the most common."""
    return secrets.token_bytes(77)


def main() -> None:
    """Measure and print."""
    temporary = TemporaryDirectory(prefix="passkey-footprint-", ignore_cleanup_errors=True)
    with temporary as folder, cluster.cluster(Path(folder)) as site:
        engine = create_engine(site.database_uri)
        with Redis.from_url(site.redis_url) as redis:
            cost_of_a_sign_in(site, redis, engine)
            room_in_redis(site, redis)
            room_in_postgresql(engine)
            pages_of_a_sign_in(engine)
            engine.dispose()


if __name__ == "__main__":
    main()
