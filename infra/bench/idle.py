"""Measures the gateway's memory per idle connection: resident memory before and after opening many."""

import pathlib
import secrets
import socket
import base64
import time
import urllib.parse

# Connections of one measurement: below an application's limit, and enough to measure a kilobyte.
CONNECTIONS = 2000
# Concurrent handshakes.
CONCURRENCY = 50
# Seconds until the gateway's memory is stable.
SETTLE_SECONDS = 3
TIMEOUT = 30


def measure(ready, app, gateway_pid):
    """Kilobytes of the gateway's memory for each idle connection."""
    where = urllib.parse.urlsplit(ready["ws"])
    # The first ones start what all share: the functions' processes, their connections, the engine's pages.
    first = opened(where, app, CONCURRENCY)
    time.sleep(SETTLE_SECONDS)
    before = resident_kilobytes(gateway_pid)
    idle = opened(where, app, CONNECTIONS)
    time.sleep(SETTLE_SECONDS)
    after = resident_kilobytes(gateway_pid)
    for connection in first + idle:
        connection.close()
    return {"connections": CONNECTIONS, "kilobytes": (after - before) / CONNECTIONS}


def opened(where, app, count):
    connections = []
    while len(connections) < count:
        waiting = [begin_handshake(where, app) for _ in range(min(CONCURRENCY, count - len(connections)))]
        for connection in waiting:
            answer = connection.recv(1024)
            if not answer.startswith(b"HTTP/1.1 101"):
                raise SystemExit(f"a handshake failed: {answer[:200]!r}")
        connections += waiting
    return connections


def begin_handshake(where, app):
    """A connection on which the handshake request was sent."""
    connection = socket.create_connection((where.hostname, where.port), TIMEOUT)
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    lines = [
        "GET / HTTP/1.1",
        f"Host: {where.hostname}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        f"x-api-key: {app['apiKey']}",
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return connection


def resident_kilobytes(pid):
    status = pathlib.Path("/proc", str(pid), "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
