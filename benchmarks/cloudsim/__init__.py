"""Three clouds in one process, for benchmarks: they answer lists, from bytes made once.

No state, no writes: what costs a client its time in a scan is asking, reading and turning bytes
into records, and so this server does nothing but hand out documents, as full as the real clouds
send them, as fast as a socket takes them.

``python -m benchmarks.cloudsim --help`` tells the options; `world.Shape` has the same.
"""
