"""A real HTTP server that speaks OpenAI's protocol as badly as a path says: /NAME/v1/chat/completions."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LONGEST_S = 20.0
"""So that no thread of a test outlives it by much."""


def completion(content: object, **message: object) -> bytes:
    """An answer of the right form."""
    said = {"role": "assistant", "content": content, **message}
    choice = {"index": 0, "finish_reason": "stop", "message": said}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(body).encode()


TEXTS = {
    "honest": "1",
    "negative": "-1",
    "nan": "NaN",
    "infinite": "1e999",
    "foreign-line": "999",
    "foreign-id": "prosumer-0007",
    "fence": "```\n1\n```",
    "chatty": "I choose 1.",
    "wide-digit": "１",
    "price": "$9999",
    "long-number": "1" * 100_000,
    "blank": "   ",
    "null": None,
    "a-list": [{"type": "text", "text": "1"}],
}


class Handler(BaseHTTPRequestHandler):
    """Answers by the path."""

    protocol_version = "HTTP/1.1"
    server: Hostile  # pyright: ignore[reportIncompatibleVariableOverride]  # it serves nobody else

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        name = self.path.split("/")[1]
        self.server.heard[name] += 1
        special: dict[str, Callable[[], None]] = {
            "not-json": lambda: self.reply(200, b"<html>down for maintenance sk-secret-in-body</html>"),
            "half-json": lambda: self.reply(200, completion("1")[:40]),
            "other-json": lambda: self.reply(200, b'{"choices": 7}'),
            "no-choices": lambda: self.reply(200, b'{"choices": []}'),
            "429": lambda: self.reply(
                429, b'{"error": {"message": "slow down sk-secret-in-body"}}', ("Retry-After", "600")
            ),
            "500": lambda: self.reply(500, b"sk-secret-in-body"),
            "refusal": lambda: self.reply(200, completion("", refusal="I cannot help with that")),
            "bomb": lambda: self.reply(200, gzip.compress(b" " * 20_000_000), ("Content-Encoding", "gzip")),
            "elsewhere": lambda: self.reply(307, b"", ("Location", self.path)),
            "huge": self.endless,
            "drip": self.drip,
            "never": self.wait,
            "hang-up": self.hang_up,
        }
        special.get(name, lambda: self.reply(200, completion(TEXTS[name])))()

    def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for header in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def begin_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def endless(self) -> None:
        """As many spaces as are taken."""
        self.begin_chunks()
        end = time.monotonic() + LONGEST_S
        while time.monotonic() < end:
            self.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            self.server.sent[self.path.split("/")[1]] += 65536

    def drip(self) -> None:
        """A correct answer, a byte at a time."""
        self.begin_chunks()
        for byte in completion("1"):
            self.wfile.write(b"1\r\n" + bytes([byte]) + b"\r\n")
            self.wfile.flush()
            if self.server.closing.wait(0.1):
                return

    def wait(self) -> None:
        self.server.closing.wait(LONGEST_S)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Hostile(ThreadingHTTPServer):
    """The server, on a port of 127.0.0.1 that is free."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.closing = threading.Event()

    def url(self, name: str) -> str:
        """Where somebody answers in this way."""
        return f"http://127.0.0.1:{self.server_address[1]}/{name}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up; that is the point."""


@contextmanager
def hostile_server() -> Generator[Hostile]:
    """Run it for a while."""
    server = Hostile()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
