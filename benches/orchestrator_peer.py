"""An orchestrator that knows nothing of Longshore: a process of its own, so that its memory and waiting are not ours.

orchestrator_peer.py URL PREFIX: each line of stdin is a list of requests. They are published at once, and when there is
a reply to each, a line of stdout holds the `seconds` since the first was published and the result `documents`. With the
end of stdin it removes the queues and exchanges of that prefix.
"""

import json
import sys
import time
import uuid

import pika

PATIENCE_SECONDS = 300
PARTS = ("jobs.high", "jobs.normal", "jobs.low", "jobs", "dead", "events")


def call(channel, exchange, reply_to, requests):
    missing = {str(uuid.uuid4()) for _ in requests}
    started = time.perf_counter()
    for key, request in zip(list(missing), requests):
        properties = pika.BasicProperties(message_id=key, correlation_id=key, reply_to=reply_to, delivery_mode=2)
        channel.basic_publish(exchange, "normal", json.dumps(request).encode(), properties)
    documents = []
    seconds = 0.0
    for method, properties, body in channel.consume(reply_to, auto_ack=True, inactivity_timeout=PATIENCE_SECONDS):
        if method is None:
            sys.exit(f"{len(missing)} replies have not come within {PATIENCE_SECONDS} s")
        # A reply may come twice.
        if properties.correlation_id in missing:
            seconds = time.perf_counter() - started
            missing.remove(properties.correlation_id)
            documents.append(json.loads(body))
        if not missing:
            return {"seconds": seconds, "documents": documents}
    sys.exit("the broker has ended the queue of replies")


def main():
    url, prefix = sys.argv[1:]
    parameters = pika.URLParameters(url)
    # Between two calls nobody would answer heartbeats.
    parameters.heartbeat = 0
    channel = pika.BlockingConnection(parameters).channel()
    reply_to = channel.queue_declare("", exclusive=True).method.queue
    for line in sys.stdin:
        print(json.dumps(call(channel, f"{prefix}.jobs", reply_to, json.loads(line))), flush=True)
    for part in PARTS:
        channel.queue_delete(f"{prefix}.{part}")
        channel.exchange_delete(f"{prefix}.{part}")


if __name__ == "__main__":
    main()
