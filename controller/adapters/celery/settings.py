"""The settings of Celery, the same for the one who rings and the one who hears, each with the reason it is set.

Celery is a doorbell: a message may be lost, doubled or late, and the database repairs it. Every setting below keeps
Celery from trying to be more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kombu import Exchange, Queue

TASK = "incumbent.run"
"""The one task's name; the control plane knows it by name only."""

PROTOCOL = 1
"""Version of the message ``(run, fence)``. A worker drops a newer one, and the relay rings again until a worker hears
it that knows it; older ones are heard as long as :data:`OLDEST` says so, for a rolling update brings both."""

OLDEST = 1

PROTOCOL_HEADER = "incumbent_protocol"

_PREFIX = "incumbent."


def queue_name(queue: str) -> str:
    """The broker's name of a policy's queue; the prefix keeps us apart on a broker that others use too."""
    return _PREFIX + queue


def is_amqp(broker_url: str) -> bool:
    """Whether the broker speaks AMQP (RabbitMQ); all else that we support is Redis or Valkey."""
    return broker_url.startswith(("amqp:", "amqps:", "pyamqp:"))


def declare_queue(queue: str, broker_url: str) -> Queue:
    """A durable queue with a direct exchange; a quorum queue on RabbitMQ."""
    name = queue_name(queue)
    arguments = {"x-queue-type": "quorum"} if is_amqp(broker_url) else None
    exchange = Exchange(name, type="direct", durable=True)
    return Queue(name, exchange, routing_key=name, durable=True, queue_arguments=arguments)


def celery_settings(broker_url: str, queues: Sequence[str] = ("default",)) -> dict[str, Any]:
    """Celery's configuration for ``broker_url``."""
    amqp = is_amqp(broker_url)
    return {
        "broker_url": broker_url,
        # Acknowledge early: a late acknowledgement makes Redis deliver again what outlives the visibility timeout,
        # in parallel (celery#5935), and RabbitMQ close the channel of a long task (celery#6760).
        "task_acks_late": False,
        # Results go into the database, fenced. A result backend would be a second truth, and it leaks memory.
        "task_ignore_result": True,
        "result_backend": None,
        # A worker takes one message for each free process: what waits in a worker's memory dies with it.
        "worker_prefetch_multiplier": 1,
        # The same to the end, on Redis (the only broker that has it): ask only when a process is free.
        **({} if amqp else {"worker_disable_prefetch": True}),
        # Nothing that a run leaked reaches the next one (celery#4843): each step of a run has a process of its own
        # below this one, and this one is renewed now and then. Not after each task: Celery takes 1 to 5 s for it.
        "worker_max_tasks_per_child": 50,
        # The relay rings again from the outbox; a retry inside Celery would block the controller's loop.
        "task_publish_retry": False,
        # A broker that blinks must not kill trainings: they do not depend on it once they run.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # A worker may start before its broker, and outlive any absence of it.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Cancelling goes through the database and the heartbeat; revoking a running task is unreliable
        # (celery#6630), and remote control lets anybody on the broker shut a worker down.
        "worker_enable_remote_control": False,
        # Nobody reads them: progress and states are in the database.
        "worker_send_task_events": False,
        # SIGTERM waits this long (seconds) for running work before it is handed to the next owner.
        "worker_soft_shutdown_timeout": 30,
        # Never pickle: a message must not be able to run code.
        "accept_content": ["json"],
        "task_serializer": "json",
        # Queues are declared below; a typing error in a queue's name must not make one that nobody hears.
        "task_create_missing_queues": False,
        "task_queues": [declare_queue(queue, broker_url) for queue in queues],
        "task_default_queue": queue_name(queues[0]) if queues else queue_name("default"),
        # Quorum queues survive the loss of a RabbitMQ node; classic ones lose what the node held.
        **({"task_default_queue_type": "quorum"} if amqp else {}),
        "broker_transport_options": _amqp_options() if amqp else _redis_options(),
        # Dates in messages (expiry) are UTC whatever zone the hosts have.
        "enable_utc": True,
        "timezone": "UTC",
        # Our logging stays ours.
        "worker_hijack_root_logger": False,
    }


def _amqp_options() -> dict[str, Any]:
    # Off by default, and then a message that a dying RabbitMQ did not keep counts as sent (celery#5410).
    return {"confirm_publish": True}


def _redis_options() -> dict[str, Any]:
    return {
        # With early acknowledgement a message is unacknowledged for milliseconds only; what a killed worker
        # left in that state comes back after this many seconds instead of an hour.
        "visibility_timeout": 60,
        # How often (in rounds of the poll) and how densely (seconds) workers look for such messages.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # A half-open connection is noticed instead of waiting for ever (celery#10205, #10302).
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
