"""Restreams created by events: commands on a NATS JetStream stream, worked off by many machines.

`handling` decides what becomes of a message and knows no broker. Around it: what a message holds
(`commands`), what is told to others (`reports`), the streams (`topology`), the time that a message
is ours (`lease`), and the binding to FastStream (`app`). Everything that touches NATS needs the
extra `worker`.
"""
