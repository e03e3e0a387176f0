"""Restreams created by events: commands on a NATS JetStream stream, worked off by many machines.

`handling` decides what becomes of a message and knows no broker. Beside it: what a message holds
(`commands`), what is told to others (`reports`, `shapes`), and what the platform's webhooks ask
for (`webhooks`, and `routes` for services, `events` for the stream).

Around it NATS: how to reach the server (`nats_options`), what is on it (`names`, `topology`,
`consumer`), how restreams get there (`publishing`), and the time that a message is ours (`lease`).

`run` is one worker process: it goes by a `plan`, and is bound to FastStream by `app`, with one
`place` for each message under way in the `process`. All that touches NATS needs the extra
`worker`.
"""
