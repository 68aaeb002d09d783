"""A lock of docs/protocol.md for Python, with pika (tried with 1.2.0, Debian's). It shares locks with batonmq.

    with Lock("amqp://localhost", "invoice:42", service="billing").acquire(timeout_s=10) as lease:
        write_report(fence=lease.fence)
        lease.throw_if_lost()

One thread and one lock connection for each wait or hold. Looks, declarations and publishes go over short-lived
connections of their own, so the lock connection never publishes. Grants are verified on every version.
"""

import base64
import hashlib
import json
import os
import random
import re
import socket
import threading
import time
import urllib.parse
import uuid

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

ARGUMENTS = {"x-queue-type": "quorum", "x-single-active-consumer": True, "x-delivery-limit": 1_000_000_000}
BASE_MAX = 2**63 - 1 - 2**40
STRIDE = 1024  # fences for each return
RECREATE_AFTER_S = 0.1  # what RabbitMQ 3 needs; 4 needs half of it
PROBE_TTL_S = 3.0
GRACE_S = 2.0
FOREIGN_AT_MOST = 20  # looked into in one place in line; then the lock is started over, whatever is ready
LONG_LOG = 100_000
ARRIVAL_S = 1.0  # of a new token
OWED_S = 60.0  # how long a token that was acked is seen to
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
# By queue, over all attempts of this process:
highest_seen = {}  # the highest fence
empty_since = {}  # since when looks have shown nothing ready, on the monotonic clock
next_probe = {}  # not before then


class LockError(Exception):
    """The lock cannot be had: the message says why."""


class AcquireTimeout(LockError):
    pass


class LeaseLost(LockError):
    pass


def queue_name(namespace, name):
    prefix = f"baton.{namespace}.lock."
    escaped = urllib.parse.quote(name, safe="-_.!~*'():/@")
    if len(prefix) + len(escaped) <= 255:
        return prefix + escaped
    digest = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode().rstrip("=")
    return f"{prefix}#{digest}.{escaped[:100]}"


def slot_name(namespace, name, slots):
    """(queue, token name) of a namespace with slots."""
    index = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") % slots
    return f"baton.{namespace}.slot.{index}-of-{slots}", f"{index}-of-{slots}"


def refuse(constant):
    raise ValueError(f"{constant} is not JSON")


def broker_version(connection):
    # pika's BlockingConnection shows the server's properties only so.
    version = connection._impl.server_properties.get("version", b"")
    version = version.decode() if isinstance(version, bytes) else version
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


class Message:
    """What a delivery turned out to be: kind is token, probe, newer or foreign."""

    def __init__(self, body, headers, name, redelivered=True, version=(4, 3)):
        # What was never given back has no count: the publisher wrote what these headers say.
        headers = dict(headers) if headers and redelivered else {}
        if version < (4, 3):
            headers.pop("x-acquired-count", None)  # nor is this one the broker's
        self.counts_acquired = "x-acquired-count" in headers  # RabbitMQ 4.3 or newer
        self.returns = headers.get("x-acquired-count", 0) + headers.get("x-delivery-count", 0)
        self.kind = "foreign"
        try:
            fields = json.loads(body.decode(), parse_constant=refuse)
        except ValueError:
            return
        version = fields.get("v") if isinstance(fields, dict) else None
        if isinstance(version, bool) or not isinstance(version, (int, float)) or version != int(version):
            return
        if version < 1:
            return
        if version > 1:
            self.kind = "newer"
        elif fields.get("kind") == "probe":
            self.kind = "probe"
        elif self._is_token(fields, name):
            self.kind = "token"
            self.id, self.base, self.at = fields["id"], int(fields["base"]), fields["at"]
            self.fence = self.base + int(fields.get("stride", 1)) * self.returns

    def surfaced(self):
        return self.returns == 0 and time.time() - self.at / 1000 > 60

    def _is_token(self, fields, name):
        base, at, stride = fields.get("base"), fields.get("at"), fields.get("stride", 1)
        return (
            fields.get("kind") == "token"
            and isinstance(fields.get("id"), str)
            and UUID.fullmatch(fields["id"]) is not None
            and fields.get("name") == name
            and isinstance(fields.get("by"), str)
            and isinstance(at, (int, float))
            and not isinstance(at, bool)
            and isinstance(base, str)
            and re.fullmatch(r"0|[1-9]\d{0,18}", base, re.ASCII) is not None
            and int(base) <= BASE_MAX
            and isinstance(stride, (int, float))
            and not isinstance(stride, bool)
            and stride in range(1, STRIDE + 1)
            and int(base) + int(stride) * self.returns <= BASE_MAX
        )


class Lock:
    def __init__(self, url, name, namespace="default", service="python", on_in_line=lambda: None, **times):
        self.url, self.name, self.service, self.on_in_line = url, name, service, on_in_line
        self.queue = queue_name(namespace, name)
        self.heartbeat_s = times.get("heartbeat_s", 10)
        self.lease_s = times.get("lease_s", 15.0)  # under two heartbeats
        self.verify_every_s = times.get("verify_every_s", 5.0)  # at most half of the lease
        self.heal_after_s = times.get("heal_after_s", 30.0)
        self.by = f"{service}@{socket.gethostname()}/{os.getpid()}"

    def acquire(self, timeout_s=None):
        """Waits in line. Raises AcquireTimeout, or LockError when the broker refuses."""
        contender = Contender(self)
        contender.start()
        if contender.settled.wait(timeout_s):
            return contender.outcome()
        contender.leave.set()  # closes the channel; a token that comes too late goes back with it
        raise AcquireTimeout(f"lock {self.name!r} was not granted within {timeout_s} s")

    def connect(self, role):
        parameters = pika.URLParameters(self.url)
        parameters.heartbeat = self.heartbeat_s
        parameters.socket_timeout = parameters.stack_timeout = 5
        parameters.blocked_connection_timeout = 5  # a publish during an alarm ends so
        parameters.client_properties = {"connection_name": f"batonmq {self.service} {role}"}
        return pika.BlockingConnection(parameters)

    def ask(self, request):
        """One request on the service connection."""
        connection = self.connect("service")
        try:
            return request(connection.channel())
        finally:
            if connection.is_open:
                connection.close()

    def look(self):
        """(ready, consumers), or None when there is no queue."""
        try:
            found = self.ask(lambda channel: channel.queue_declare(self.queue, passive=True)).method
            return found.message_count, found.consumer_count
        except ChannelClosedByBroker as error:
            if error.reply_code == 404:
                return None
            raise

    def find(self):
        """The queue is there, is a lock, and has had a token, when this returns."""
        if self.look() is None:
            time.sleep(RECREATE_AFTER_S)  # it may have been deleted a moment ago
        self.declare()

    def declare(self):
        # Also when it was there: only an active declaration compares the arguments.
        declare = lambda channel: channel.queue_declare(self.queue, durable=True, arguments=ARGUMENTS)
        try:
            found = self.ask(declare).method
        except ChannelClosedByBroker as error:
            if error.reply_code != 403:
                raise
            if self.look() is None:
                raise
            return  # without the right to declare, what exists can be used
        if found.message_count == 0 and found.consumer_count == 0:
            self.seed()

    def seed(self):
        base = self.next_base()
        self.publish({"kind": "token", "base": str(base), "stride": STRIDE, "at": int(time.time() * 1000)})

    def next_base(self):
        base = max(int(time.time() * 1000) << 20, highest_seen.get(self.queue, -1) + 1)
        if base > BASE_MAX:
            raise LockError(f"no fence is left in int64 for lock {self.name!r}")
        return base

    def purge(self):
        self.next_base()  # or an error, before anything is destroyed
        self.ask(lambda service: service.queue_purge(self.queue))

    def start_over(self, channel, tag, crowded=False):
        """Puts a new token in the place of what that channel has in hand. Raises before the ack, or not at all."""
        for _ in range(5):
            self.purge()
            self.seed()
            depth = (1, 1) if crowded else self.look()
            if depth is not None and depth[0] == 1:  # the new token, and nothing that is ahead of it
                return channel.basic_ack(tag)
        raise AMQPError("something is published again and again")

    def start_over_empty(self, channel, tag):
        """The same, but the queue is empty in between: only that truncates the log of RabbitMQ 3."""
        self.publish({"kind": "probe", "at": int(time.time() * 1000)}, ttl_s=PROBE_TTL_S)  # so publishing works
        self.purge()
        channel.basic_ack(tag)
        self.owe()

    def owe(self):
        """Seeds if nothing is ready, or a look fails: a second token is inert, a missing one is not."""
        until = time.monotonic() + OWED_S
        while True:
            try:
                depth = self.look()
            except (AMQPError, OSError):
                depth = (0, 0)
            if depth is None or depth[0] > 0:
                return
            try:
                return self.seed()
            except (AMQPError, OSError):
                if time.monotonic() >= until:
                    raise
                time.sleep(0.25)

    def publish(self, fields, ttl_s=None):
        message = {"v": 1, "id": str(uuid.uuid4()), "name": self.name, "by": self.by, **fields}
        expiration = None if ttl_s is None else str(int(ttl_s * 1000))
        properties = pika.BasicProperties(delivery_mode=2, expiration=expiration)
        connection = self.connect("publisher")
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("", self.queue, json.dumps(message).encode(), properties, mandatory=True)
        finally:
            connection.close()


class Lease:
    def __init__(self, contender, fence):
        self._contender = contender
        self.fence = fence
        self.lost = contender.lost  # an Event; its reason is in reason

    @property
    def reason(self):
        return self._contender.reason

    def throw_if_lost(self):
        """Reads the clocks: right even after this process stood still."""
        if self._contender.remaining_s() <= 0:
            self._contender.lose("the broker did not confirm the hold in time")
        if self.lost.is_set():
            raise LeaseLost(f"{self._contender.lock.name!r}: {self.reason}")

    def release(self):
        self._contender.leave.set()
        self._contender.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class Replace(Exception):
    """This place in line is void: take a fresh one, after making the queue again or not."""


class Contender(threading.Thread):
    """One wait and the hold that it ends in. Runs all I/O of its lock connection."""

    def __init__(self, lock):
        super().__init__(daemon=True)
        self.lock = lock
        self.settled, self.leave, self.lost = threading.Event(), threading.Event(), threading.Event()
        self.lease, self.error, self.reason = None, None, None
        self.proven_at = None  # (monotonic, wall) of the sending of the last answered verification

    def outcome(self):
        if self.lease is not None:
            return self.lease
        raise self.error

    def remaining_s(self):
        if self.proven_at is None:
            return 0
        mono, wall = self.proven_at
        return self.lock.lease_s - max(time.monotonic() - mono, time.time() - wall)

    def lose(self, reason):
        if not self.lost.is_set():
            self.reason = reason
            self.lost.set()

    def run(self):
        rest_s, known = 0.1, False
        while not self.leave.is_set() and not self.lost.is_set():
            try:
                if not known:
                    self.lock.find()
                known = True
                self.take_place()
                return
            except Replace:
                continue  # the channel is closed: a fresh place, on a queue that this client knows
            except ChannelClosedByBroker as error:
                known = False
                if error.reply_code in (403, 405, 406):
                    return self.fail(LockError(f"the broker refused {self.lock.queue}: {error.reply_text}"))
            except LockError as error:
                return self.fail(error)
            except (AMQPError, OSError):
                known = False
            if self.lease is not None:
                self.lose("the connection or the channel was closed")
            self.leave.wait(rest_s)
            rest_s = min(1.0, rest_s * 2)

    def fail(self, error):
        if self.lease is not None:
            self.lose(str(error))
        self.error = error
        self.settled.set()

    def take_place(self):
        """Consumes on a fresh connection and channel until released, lost or Replace."""
        connection = self.lock.connect("locks")
        try:
            self.inbox, self.cancelled, self.hold, self.asked_at = [], False, None, None
            self.foreign, self.grace_until, self.foreign_messages = None, None, 0  # they belong to this place in line
            self.arrives_by = None  # when the new token should be here
            self.version = broker_version(connection)
            self.channel = connection.channel()
            self.channel.basic_qos(prefetch_count=1)
            self.channel.add_on_cancel_callback(lambda _: setattr(self, "cancelled", True))
            on_message = lambda _, method, properties, body: self.inbox.append((method, properties, body))
            tag = f"{self.lock.by}/{uuid.uuid4().hex[:12]}/"
            tag += urllib.parse.quote(self.lock.name, safe="-_.!~*'():/@")
            self.channel.basic_consume(self.lock.queue, on_message, consumer_tag=tag[:255])
            self.lock.on_in_line()
            self.next_look = time.monotonic() + self.lock.heal_after_s / 4
            # Who leaves with a foreign message in hand sees it to its end first: short waits would otherwise never heal a lock.
            while not self.lost.is_set() and not (self.leave.is_set() and self.foreign is None):
                self.on_time()
                connection.process_data_events(time_limit=0.02)
                if self.channel.is_closed:
                    raise AMQPError("the broker closed the channel")
                self.on_events()
            if self.hold is not None and not self.lost.is_set():
                self.end_long_log()
        finally:
            # Closing the channel, and here the connection with it, is the release. Never basic.cancel.
            if connection.is_open:
                connection.close()

    def on_events(self):
        if self.cancelled:
            self.on_cancelled()
        while self.inbox:
            method, properties, body = self.inbox.pop(0)
            message = Message(body, properties.headers, self.lock.name, method.redelivered, self.version)
            if message.kind == "token":
                seen = highest_seen.get(self.lock.queue, -1)
                highest_seen[self.lock.queue] = max(seen, message.fence)
                empty_since.pop(self.lock.queue, None)
            # Before anything else: a seed that is given back by a close has come back once, and looks live.
            own = self.hold is not None and message.kind == "token" and message.id == self.hold.id
            if message.kind == "token" and not own and not self.is_live(message, seen):
                self.start_over(method.delivery_tag, surfaced=message.surfaced())
                if self.hold is not None:
                    self.on_answer(method, message)
            elif self.hold is not None:
                self.on_answer(method, message)
            elif message.kind == "token":
                self.on_token(method, message)
            elif message.kind == "newer":
                raise LockError("the token is of a newer protocol; it was given back")
            else:
                self.on_foreign(method)

    # Waiting: a token, or a foreign message that only comes when there is no live token.

    @staticmethod
    def is_live(message, seen):
        return not message.surfaced() and message.fence > seen

    def on_token(self, method, message):
        if self.leave.is_set():
            raise Replace  # nobody wants it any more
        self.hold, self.tag, self.arrives_by = message, method.delivery_tag, None
        self.granted_fence = message.fence
        self.verify()

    def on_foreign(self, method):
        if self.arrives_by is not None:
            return self.channel.basic_ack(method.delivery_tag)
        self.foreign_messages += 1
        if self.foreign_messages > FOREIGN_AT_MOST:
            return self.start_over(method.delivery_tag, crowded=True)
        self.foreign = method.delivery_tag
        if self.grace_until is not None and time.monotonic() > self.grace_until + GRACE_S:
            self.grace_until = None  # that one was about other foreign messages
        self.look_behind_foreign()

    def look_behind_foreign(self):
        try:
            depth = self.lock.look()
        except (AMQPError, OSError):
            self.next_look = time.monotonic() + 0.5  # a look that failed shows nothing at all
            return
        if depth is None:
            self.foreign = None  # a cancel is on its way
        elif depth[0] > 0:
            self.channel.basic_ack(self.foreign)
            self.foreign = None
        elif self.grace_until is not None and time.monotonic() >= self.grace_until:
            self.start_over(self.foreign)
            self.foreign = None
        else:
            self.grace_until = self.grace_until or time.monotonic() + GRACE_S
            self.next_look = self.grace_until

    def start_over(self, tag, crowded=False, surfaced=False):
        if self.arrives_by is not None:  # something else has come in the place of the new token
            return self.channel.basic_ack(tag)
        try:
            self.lock.start_over(self.channel, tag, crowded)
        except (AMQPError, OSError, LockError):
            if surfaced:
                self.channel.basic_ack(tag)  # given back by the close it would look live
            raise
        self.arrives_by, self.foreign_messages = time.monotonic() + ARRIVAL_S, 0

    def recreate(self):
        time.sleep(RECREATE_AFTER_S)
        self.lock.declare()
        raise Replace

    def on_time(self):
        now = time.monotonic()
        if self.hold is not None:
            if self.lease is not None and self.remaining_s() <= 0:
                self.lose("the broker did not confirm the hold in time")
            elif self.lease is None and now - self.asked_at[0] > self.lock.lease_s:
                raise Replace  # nobody was told of this grant
            elif self.asked_at is None and now - self.proven_at[0] >= self.lock.verify_every_s:
                self.verify()
        elif self.arrives_by is not None and now >= self.arrives_by:
            self.arrives_by = now + ARRIVAL_S
            depth = self.lock.look()
            if depth is None or depth[0] > 0:
                raise Replace  # it is there, and does not come here
            self.lock.seed()  # somebody has purged it
        elif now >= self.next_look:
            self.next_look = now + self.lock.heal_after_s / 4 * random.uniform(0.75, 1.25)
            if self.foreign is not None:
                self.look_behind_foreign()
            else:
                self.watch()

    def watch(self):
        """Nothing ready for heal_after_s: a probe, which is delivered only if there is no live token."""
        queue, now = self.lock.queue, time.monotonic()
        try:
            depth = self.lock.look()
            if depth is None or depth[0] > 0:
                empty_since.pop(queue, None)
            elif now - empty_since.setdefault(queue, now) >= self.lock.heal_after_s and now >= next_probe.get(queue, 0):
                next_probe[queue] = now + PROBE_TTL_S + random.uniform(0, self.lock.heal_after_s)
                self.lock.publish({"kind": "probe", "at": int(time.time() * 1000)}, ttl_s=PROBE_TTL_S)
        except (AMQPError, OSError):
            pass  # the next look is soon enough

    # Holding

    def verify(self):
        self.asked_at = (time.monotonic(), time.time())
        # Not a nack: from 4.3 on that says whether a holder with a lock delay has released.
        self.channel.basic_reject(self.tag, requeue=True)

    def on_answer(self, method, message):
        same = message.kind == "token" and message.id == self.hold.id and message.base == self.hold.base
        step = 2 if message.counts_acquired else 1
        proof = self.asked_at is not None and same and message.returns == self.hold.returns + step
        if self.lease is None:
            late = proof and max(
                time.monotonic() - self.asked_at[0], time.time() - self.asked_at[1]
            ) >= self.lock.lease_s
            if self.leave.is_set() or not proof or late or highest_seen[self.lock.queue] > message.fence:
                raise Replace
        elif not proof:
            return self.lose("the broker had taken the token back")
        elif self.remaining_s() <= 0:
            return self.lose("the broker did not confirm the hold in time")
        self.hold, self.tag = message, method.delivery_tag
        self.proven_at, self.asked_at = self.asked_at, None
        if self.lease is None:
            self.lease = Lease(self, self.granted_fence)
            self.settled.set()

    def on_cancelled(self):
        if self.lease is None:
            self.recreate()
        try:
            depth = self.lock.look()
        except (AMQPError, OSError):
            depth = (1, 1)
        gone = depth is None or depth == (0, 0)
        self.lose("the queue was deleted" if gone else "the broker cancelled the consumer")

    def end_long_log(self):
        """Below 4.3 a token that has come back this often is ended by starting over."""
        if self.hold.returns <= LONG_LOG or self.hold.counts_acquired or self.asked_at is not None:
            return  # with a question under way it is not in hand: the next release will do
        try:
            self.lock.start_over_empty(self.channel, self.tag)
        except (AMQPError, OSError, LockError):
            return  # before the ack an ordinary release; after it, anybody who waits finds out by a probe
