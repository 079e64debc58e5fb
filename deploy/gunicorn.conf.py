"""Settings of gunicorn for one node: ``gunicorn -c gunicorn.conf.py 'demo:create_app()'``."""

import os

#: An address that only nginx can reach.
bind = os.environ.get("BIND", "127.0.0.1:8000")

#: A sign-in is mostly work of Python, which only one thread of a process does at a time: so one process for each core.
#: While one thread waits for a store, another one works.
workers = int(os.environ.get("WEB_CONCURRENCY") or os.cpu_count() or 1)
threads = int(os.environ.get("THREADS", "8"))

#: Seconds until a worker that does not answer is replaced, and seconds that a stopping worker has to finish its
#: requests. Both are longer than the app waits for its stores.
timeout = 30
graceful_timeout = 30

#: In memory: a heartbeat file on a disk can block.
worker_tmp_dir = "/dev/shm"

#: Waiting connections. More than this are refused, and nginx tries the other node.
backlog = 512

#: nginx writes the access log; errors go to standard error, and from there to the journal.
accesslog = None
errorlog = "-"

#: HUP starts new workers with new code while the old ones finish, so the code must not be loaded before the fork.
preload_app = False

#: It is not used, and it would be made in the home folder.
control_socket_disable = True
