"""A worker in Python that shares a lock with the Node fleet.

    apt-get install python3-pika
    AMQP_URL=amqp://localhost LOCK=counter ROUNDS=5 FILE=counter python3 docs/examples/python/worker.py

Each round reads a number from a file and writes it back, one higher: without the lock rounds would be lost.
"""

import json
import os
import signal
import sys
import time

from baton import LeaseLost, Lock

TIMES = json.loads(os.environ.get("TIMES", "{}"))  # for tests: {"lease_s": 1.5, …}


def say(**what):
    print(json.dumps(what), flush=True)


def add_one(path, fence):
    with open(path, "a+") as file:
        file.seek(0)
        lines = file.read().split()
        time.sleep(0.01)
        file.write(f"{len(lines) + 1}:{fence}:python\n")


def main():
    url, in_line = os.environ.get("AMQP_URL", "amqp://localhost"), lambda: say(in_line=True)
    lock = Lock(url, os.environ["LOCK"], service="worker", on_in_line=in_line, **TIMES)
    hold_s = float(os.environ.get("HOLD_S", "0"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # leaves by way of the `with`
    for _ in range(int(os.environ.get("ROUNDS", "5"))):
        with lock.acquire() as lease:
            say(fence=str(lease.fence))
            try:
                lease.lost.wait(hold_s)
                lease.throw_if_lost()
                if "FILE" in os.environ:
                    add_one(os.environ["FILE"], lease.fence)
            except LeaseLost:
                say(lost=lease.reason)  # the next round waits in line again
                continue
        say(released=str(lease.fence))


if __name__ == "__main__":
    main()
