"""What a connection costs the gateway that only stays open: resident memory before and after many of them."""

import pathlib
import secrets
import socket
import base64
import time
import urllib.parse

# Connections of one measurement: below the most that one application may have, and enough to tell a kilobyte.
CONNECTIONS = 2000
# Handshakes that are waited for together.
AT_A_TIME = 50
# Seconds in which the gateway's memory comes to rest.
REST = 3
PATIENCE = 30


def measure(ready, app, gateway_pid):
    """Kilobytes of the gateway's memory for each idle connection."""
    where = urllib.parse.urlsplit(ready["ws"])
    # The first ones open what all share: functions' processes, their connections, the engine's pages.
    first = opened(where, app, AT_A_TIME)
    time.sleep(REST)
    before = resident_kilobytes(gateway_pid)
    others = opened(where, app, CONNECTIONS)
    time.sleep(REST)
    after = resident_kilobytes(gateway_pid)
    for connection in first + others:
        connection.close()
    return {"connections": CONNECTIONS, "kilobytes": (after - before) / CONNECTIONS}


def opened(where, app, count):
    connections = []
    while len(connections) < count:
        waiting = [asked(where, app) for _ in range(min(AT_A_TIME, count - len(connections)))]
        for connection in waiting:
            answer = connection.recv(1024)
            if not answer.startswith(b"HTTP/1.1 101"):
                raise SystemExit(f"a handshake was refused: {answer[:200]!r}")
        connections += waiting
    return connections


def asked(where, app):
    """A connection whose handshake is sent and not answered."""
    connection = socket.create_connection((where.hostname, where.port), PATIENCE)
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
