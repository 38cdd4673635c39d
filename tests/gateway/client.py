"""A gateway in twenty lines: publishes a job, waits for its result, prints it.

    client.py amqp://user:password@host:5672 LANE job.json
"""

import json
import sys

import pika

url, lane, path = sys.argv[1:]
body = open(path, "rb").read()
job = json.loads(body)

connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
reply_to = channel.queue_declare("", exclusive=True).method.queue
properties = pika.BasicProperties(
    type="seatwright.job.v1",
    content_type="application/json",
    delivery_mode=2,
    message_id=job["id"],
    correlation_id=job["id"],
    reply_to=reply_to,
)
channel.basic_publish("seatwright.jobs", f"{lane}.{job['operation']}", body, properties, mandatory=True)

for method, answer, result in channel.consume(reply_to, inactivity_timeout=120):
    if method is None:
        sys.exit("no result within two minutes: is a worker running for this lane?")
    if answer.correlation_id == job["id"]:
        assert answer.type == "seatwright.result.v1"
        print(json.dumps(json.loads(result), indent=2))
        break
connection.close()
