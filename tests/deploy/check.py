#!/usr/bin/env python3
"""Runs deploy/nginx.conf and deploy/Caddyfile in front of a real server, and looks at what docs/deploy.md promises of them.

    tests/deploy/check.py SKEIN_BIN [nginx] [caddy]

Both proxies are checked unless one is named. Needs them on the search path, Python 3.9 and nothing else; listens on free
loopback ports only; takes about a minute, most of it silence that a stream has to survive. Run by hand.
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
GUIDE = ROOT / "docs" / "deploy.md"
# How long anything that happens at once may take before it counts as not happening.
PATIENCE = 8
# Skein says something on a silent stream every 10 s; two of these are more than any default of a proxy would let pass unseen.
HEARTBEATS = 2

failures = 0


def check(what, holds, seen=""):
    global failures
    failures += not holds
    print(("ok    " if holds else "FAIL  ") + what + ("" if holds else f": {seen}"), flush=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_port(port, process):
    deadline = time.monotonic() + PATIENCE
    while True:
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with status {process.returncode} before it listened")
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Running:
    """Processes that are stopped with the block, the last one first."""

    def __enter__(self):
        self.processes = []
        self.folder = Path(tempfile.mkdtemp(prefix="skein-deploy-"))
        # Started by root, nginx works as another user.
        self.folder.chmod(0o755)
        return self

    def start(self, args, port, name, **env):
        log = (self.folder / f"{name}.log").open("wb")
        bare = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **env}
        process = subprocess.Popen(args, cwd=self.folder, env=bare, stdout=log, stderr=log)
        self.processes.append(process)
        wait_for_port(port, process)
        return process

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.folder)


def start_nginx(running, upstreams, name):
    port = free_port()
    text = (DEPLOY / "nginx.conf").read_text()
    for host, upstream in zip(("skein-1:8000", "skein-2:8000"), upstreams):
        assert text.count(host) == 1, f"{host} is not once in nginx.conf"
        text = text.replace(host, f"127.0.0.1:{upstream}")
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    text = text.replace("/tmp/nginx", f"{running.folder}/{name}")
    # Nothing but this machine differs: it may allow fewer open files than a server does.
    text = re.sub(r"worker_(rlimit_nofile|connections) \d+;", r"worker_\1 1000;", text)
    path = running.folder / f"{name}.conf"
    path.write_text(text)
    running.start(["nginx", "-c", str(path), "-p", str(running.folder), "-g", "daemon off;"], port, name)
    return port


def start_caddy(running, upstreams, name):
    port = free_port()
    path = running.folder / f"{name}.caddyfile"
    path.write_text("{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n" + (DEPLOY / "Caddyfile").read_text())
    nodes = " ".join(f"127.0.0.1:{upstream}" for upstream in upstreams)
    args = ["caddy", "run", "--adapter", "caddyfile", "--config", str(path)]
    # The addresses that a container would have go in as the file itself allows.
    running.start(args, port, name, SKEIN_SITE=f"http://:{port}", SKEIN_NODES=nodes)
    return port


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    except (BrokenPipeError, ConnectionResetError):
        # A proxy may answer and close before it has read a body that is too long.
        response = connection.response_class(connection.sock)
        response.begin()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def send(port, token, chat, text):
    """Sends a message and gives the answer's stream as lines with the time of each."""
    message = {"id": str(uuid.uuid4()), "role": "user", "parts": [{"type": "text", "text": text}]}
    body = json.dumps({"id": chat, "message": message, "selectedVisibilityType": "private"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/api/chat", body, {
        "Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept-Encoding": "gzip"})
    response = connection.getresponse()
    assert response.status == 200, response.read()

    def lines():
        for line in response:
            if line.strip():
                yield time.monotonic(), line.decode().strip()

    return response, lines()


def gaps(port, token):
    """The largest and the median time between two of 50 words that are sent 20 ms apart, in ms."""
    _, lines = send(port, token, str(uuid.uuid4()), "[[mock: tokens=50 pace_ms=20]]")
    times = [at for at, line in lines if '"text-delta"' in line]
    between = sorted(1000 * (b - a) for a, b in zip(times, times[1:]))
    return f"{len(times)} frames, median gap {between[len(between) // 2]:.1f} ms, largest {between[-1]:.1f} ms"


def check_streams(name, start, skein):
    """A real server behind the proxy; the second upstream is one that refuses connections."""
    with Running() as running:
        node, dead = free_port(), free_port()
        server = running.start([skein], node, "skein", SKEIN_BIND=f"127.0.0.1:{node}",
                               SKEIN_DATA_DIR=str(running.folder / "data"), SKEIN_DRAIN_SECS="1")
        port = start(running, (node, dead), name)

        answers = [ask(port, "POST", "/api/auth/guest") for _ in range(8)]
        check(f"{name}: no POST is lost while a node is down", all(status == 200 for status, _, _ in answers),
              [status for status, _, _ in answers])
        token = json.loads(answers[0][2])["access_token"]

        # The model says two words and then nothing: a proxy that waits for more to fill a buffer shows neither.
        chat = str(uuid.uuid4())
        begun = time.monotonic()
        try:
            response, lines = send(port, token, chat, "[[mock: tokens=9 pace_ms=0 silent_after=2]]")
        except TimeoutError:
            check(f"{name}: a frame is seen although nothing follows it", False, "no frame at all")
            return
        coding = response.getheader("content-encoding")
        check(f"{name}: a stream is not compressed", coding is None, coding)
        if coding:
            return
        second = next((at for at, line in lines if '"delta":" tok1"' in line), None)
        check(f"{name}: a frame is seen although nothing follows it", second and second - begun < PATIENCE,
              f"after {second and second - begun} s")
        beats = 0
        for _, line in lines:
            beats += line.startswith(":")
            if beats == HEARTBEATS:
                break
        check(f"{name}: a silent stream goes on, with its heartbeats", beats == HEARTBEATS, f"{beats} of {HEARTBEATS}")
        status, _, body = ask(port, "POST", f"/api/chat/{chat}/stop", Authorization=f"Bearer {token}")
        check(f"{name}: a stop reaches the run", (status, json.loads(body)) == (200, {"stopped": True}), (status, body))
        ended = [line for _, line in lines]
        check(f"{name}: the stopped stream ends as it should", ended[-1:] == ["data: [DONE]"], ended[-2:])

        _, headers, _ = ask(port, "GET", "/openapi.json", Accept_Encoding="gzip")
        check(f"{name}: other answers are compressed", headers.get("Content-Encoding") == "gzip", headers)

        # Bodies: what Skein takes passes, and what it refuses is refused by it, in its own words.
        four = b'{"id":"' + b"x" * (4 * 1024 * 1024 - 64) + b'"}'
        status, headers, body = ask(port, "POST", "/api/chat", four, Authorization=f"Bearer {token}")
        check(f"{name}: a body of 4 MB gets to Skein", status == 400 and "code" in json.loads(body), (status, body[:200]))
        status, headers, body = ask(port, "POST", "/api/chat", b"x" * (64 * 1024 * 1024), Authorization=f"Bearer {token}")
        check(f"{name}: Skein itself refuses 64 MiB here", status == 413 and b'"code"' in body, (status, body[:200]))

        print(f"      {name}: directly {gaps(node, token)}")
        print(f"      {name}: proxied  {gaps(port, token)}")
        check(f"{name}: the server still runs", server.poll() is None, server.returncode)


def check_drain(name, start, skein):
    """Two real servers behind the proxy, one of which is told to stop while it writes an answer."""
    with Running() as running:
        nodes, servers = (free_port(), free_port()), []
        for node in nodes:
            servers.append(running.start([skein], node, f"skein-{node}", SKEIN_BIND=f"127.0.0.1:{node}",
                                         SKEIN_DATA_DIR=str(running.folder / f"data-{node}"), SKEIN_DRAIN_SECS="30"))
        port = start(running, nodes, f"{name}-drain")
        token = json.loads(ask(nodes[0], "POST", "/api/auth/guest")[2])["access_token"]
        chat = str(uuid.uuid4())
        _, lines = send(nodes[0], token, chat, "[[mock: tokens=100 pace_ms=50]]")
        next(line for _, line in lines if '"text-delta"' in line)
        servers[0].terminate()
        log = running.folder / f"skein-{nodes[0]}.log"
        deadline = time.monotonic() + PATIENCE
        while "stopping" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        begun, statuses = time.monotonic(), []
        for _ in range(6):
            statuses.append(ask(port, "POST", "/api/auth/guest")[0])
        took = time.monotonic() - begun
        check(f"{name}: no POST waits for a node that drains, or is lost with it", statuses == [200] * 6 and took < 3,
              f"{statuses} after {took:.1f} s")
        ended = [line for _, line in lines]
        check(f"{name}: the draining node's answer is seen to its end", '"finish"' in "".join(ended) and ended[-1] == "data: [DONE]", ended[-3:])
        check(f"{name}: then the node exits by itself", servers[0].wait(PATIENCE) == 0, servers[0].returncode)


class Stub:
    """An upstream that does on purpose what Skein never does, and keeps what it was sent."""

    def __init__(self):
        self.requests = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as incoming:
            while True:
                line = incoming.readline().decode()
                if not line:
                    return
                headers = {}
                while (header := incoming.readline().decode().strip()):
                    name, value = header.split(":", 1)
                    headers[name.lower()] = value.strip()
                incoming.read(int(headers.get("content-length", 0)))
                method, path, _ = line.split()
                if path != "/ready":
                    self.requests.append((method, path, headers))
                if path == "/vanish":
                    return
                if headers.get("upgrade", "").lower() == "websocket":
                    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                    # Enough to see both directions: what WebSocket says inside is not the proxy's affair.
                    connection.sendall(b"said: " + incoming.read(5))
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                if headers.get("connection", "").lower() == "close":
                    return


def check_rules(name, start):
    """Two stubs behind proxies: what they repeat, what they forward, how they upgrade."""
    with Running() as running:
        stubs = Stub(), Stub()
        port = start(running, [stub.port for stub in stubs], name)

        def seen(method, path):
            return [headers for stub in stubs for m, p, headers in stub.requests if (m, p) == (method, path)]

        # Each on a proxy of its own, which has not seen a node fail yet.
        status, _, _ = ask(start(running, [stub.port for stub in stubs], f"{name}-post"), "POST", "/vanish", b"{}")
        count = len(seen("POST", "/vanish"))
        check(f"{name}: a POST that a node took is never repeated", (status, count) == (502, 1), (status, count))
        ask(start(running, [stub.port for stub in stubs], f"{name}-get"), "GET", "/vanish")
        count = len(seen("GET", "/vanish"))
        check(f"{name}: a GET is repeated, and not for ever", 2 <= count <= 6, count)

        status, _, _ = ask(port, "GET", "/forwarded", X_Forwarded_For="203.0.113.9", Host="chat.example.org:8443")
        headers = (seen("GET", "/forwarded") or [{}])[-1]
        check(f"{name}: the address forwarded is the client's, not its claim", headers.get("x-forwarded-for") == "127.0.0.1", headers)
        check(f"{name}: the host is the one asked for, with its port", headers.get("host") == "chat.example.org:8443", headers)
        check(f"{name}: the scheme is forwarded", headers.get("x-forwarded-proto") == "http", headers)

        before = sum(stub.connections for stub in stubs)
        for _ in range(20):
            ask(port, "GET", "/kept")
        opened = sum(stub.connections for stub in stubs) - before
        # Health checks of Caddy come through the same count.
        check(f"{name}: connections to the nodes are kept", opened <= 10, f"{opened} new for 20 requests")

        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.sendall(b"GET /app/key HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            answer = b""
            while b"\r\n\r\n" not in answer and (more := client.recv(4096)):
                answer += more
            client.sendall(b"hello")
            while b"said: hello" not in answer and (more := client.recv(4096)):
                answer += more
        check(f"{name}: a WebSocket is upgraded, both ways", answer.startswith(b"HTTP/1.1 101") and b"said: hello" in answer, answer)


def check_words(skein):
    """Every setting and command that these files name is one that the program has."""
    settings = subprocess.run([skein, "settings"], capture_output=True, text=True, check=True).stdout
    help_text = subprocess.run([skein, "help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", settings))
    commands = set(re.findall(r"^  ([a-z]+)  ", help_text, re.M))
    # Read by compose.yaml, mongo-init.js and the Caddyfile, not by Skein.
    ours = {"SKEIN_SITE", "SKEIN_NODES", "SKEIN_IMAGE", "SKEIN_PORT"}
    for path in sorted(p for p in [GUIDE, *DEPLOY.iterdir()] if p.is_file()):
        text = path.read_text()
        # `MONGO_SKEIN_PASSWORD` and the like are not ours.
        names = set(re.findall(r"(?<![A-Z_])(?:SKEIN_[A-Z0-9_]+|MONGODB_[A-Z0-9_]+)(?!-)", text)) - {"MONGODB_X509", "MONGODB_AWS"}
        check(f"{path.name}: its settings exist", names <= known | ours, sorted(names - known - ours))
        used = set(re.findall(r"`skein ([a-z]+)", text)) | set(re.findall(r'(?:bin/skein"?,?|skein-1) "?([a-z]+)', text)) - {"skein"}
        check(f"{path.name}: its commands exist", used <= commands, sorted(used - commands))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    skein = str(Path(sys.argv[1]).resolve())
    starts = {"nginx": start_nginx, "caddy": start_caddy}
    for name in sys.argv[2:] or starts:
        if name not in starts:
            sys.exit(f"{name} is none of {', '.join(starts)}")
        if shutil.which(name) is None:
            check(f"{name} is installed", False, f"apt-get install {name}")
            continue
        check_rules(name, starts[name])
        check_streams(name, starts[name], skein)
        check_drain(name, starts[name], skein)
    check_words(skein)
    print(f"{failures} failed" if failures else "all passed")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
