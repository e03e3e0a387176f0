"""Workers: restreams created by commands on a NATS JetStream stream, on any number of machines.

Start with `run.run_worker`, which shows the main flow. What becomes of a message is decided in
`restream_async.handling`, which knows no broker.

- Messages: `asyncapi` (the document of commands, outcomes and dead letters), `platform_events`,
  `event_rules` and `event_actions` (what an event of the platform asks for), `event_handler`
  (events on the stream), `webhooks` (events by HTTP).
- NATS: `nats_connection` and `tls_only` (the connection), `subjects` (all names), `streams` and
  `consumer` (what is on the server), `command_publishing` (restreams to the stream),
  `report_publishing` (outcomes and dead letters).
- One process: `settings`, `run`, `pull_loop` (of one slot), `lease` (the time in which a message is
  this worker's), `first_delivery_guard`, `nats_watch` (whether it can go on), `errors`, `tasks`.
- Probes and metrics: `activity` (numbers; whether the worker is alive and ready), `health` and
  `health_address` (by HTTP), `metrics` (for Prometheus).

All modules that touch NATS need the extra `worker`.
"""
