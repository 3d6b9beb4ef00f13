"""A small Kubernetes API server. It keeps objects in memory and answers the real client over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Objects = dict[tuple[str, str], dict[str, Any]]


class Server:
    """The objects of the cluster, and the failures to simulate.

    Attributes:
        objects: (plural, name) -> object.
        requests: Method and path of each request so far.
        failures: The statuses of the next answers.
        forbidden: Methods, plurals, parts of objects (``pods/log``) and ``watch``, all answered with 403.
        logs: Pod -> its log.
        on_read: Called before each read of an object, to change the cluster.
    """

    def __init__(self) -> None:
        self.objects: Objects = {}
        self.requests: list[str] = []
        self.failures: list[int] = []
        self.forbidden: set[str] = set()
        self.logs: dict[str, bytes] = {}
        self.on_read: Callable[[Server], None] = lambda server: None

    def answer(self, method: str, target: str, body: Any, content_type: str | None = None) -> tuple[int, Any]:
        """Returns status and body for a request: an object, or bytes."""
        url = urlsplit(target)
        self.requests.append(f"{method} {url.path}")
        if self.failures:
            status = self.failures.pop(0)
            return status, _status(status, "failure requested by the test")
        parts = url.path.strip("/").split("/")
        parts = parts[parts.index("namespaces") + 2 :]
        plural, name = parts[0], parts[1] if len(parts) > 1 else None
        query = parse_qs(url.query)
        if method == "PATCH" and content_type != "application/merge-patch+json":
            return 415, _status(415, "the body of the request was in an unknown format")
        if self.forbidden & {method, "watch" if "watch" in query else "", "/".join([plural, *parts[2:]])}:
            return 403, _status(403, "forbidden")
        if method == "POST":
            return self._created(plural, body)
        if method == "GET" and not parts[2:]:
            self.on_read(self)
        if name is None:
            return 200, self._listed(plural, query)
        return self._answer_about(method, plural, name, body, parts[2:])

    def _created(self, plural: str, body: Any) -> tuple[int, Any]:
        key = (plural, body["metadata"]["name"])
        if key in self.objects:
            return 409, _status(409, f"{plural} {key[1]!r} already exists")
        self.objects[key] = body
        return 201, body

    def _answer_about(self, method: str, plural: str, name: str, body: Any, more: list[str]) -> tuple[int, Any]:
        found = self.objects.get((plural, name))
        if found is None:
            return 404, _status(404, f"{plural} {name!r} not found")
        if more:
            return 200, self.logs[name]
        if method == "DELETE":
            del self.objects[plural, name]
            return 200, _status(200, "deleted")
        if method == "PATCH":
            merge(found, body)
        return 200, found

    def _listed(self, plural: str, query: dict[str, list[str]]) -> Any:
        labels, name = query.get("labelSelector", [""])[0], query.get("fieldSelector", [""])[0]
        found = [
            each
            for (kind, _), each in self.objects.items()
            if kind == plural
            and all(_has(each, label) for label in labels.split(",") if label)
            and name in ("", f"metadata.name={each['metadata']['name']}")
        ]
        if "watch" in query:
            return b"".join(json.dumps({"type": "ADDED", "object": each}).encode() + b"\n" for each in found)
        return {"kind": "List", "items": found}


def merge(found: dict[str, Any], change: dict[str, Any]) -> None:
    """Changes an object as a JSON merge patch does."""
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(found.get(name), dict):
            merge(found[name], value)
        else:
            found[name] = value


def _has(found: dict[str, Any], selector: str) -> bool:
    """Whether an object has a label, or a label with this value."""
    key, equals, value = selector.partition("=")
    labels = found["metadata"].get("labels", {})
    return labels.get(key) == value if equals else key in labels


def _status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "code": code, "message": message, "reason": str(code)}


@contextmanager
def serving(folder: Path, namespace: str = "team-a") -> Iterator[tuple[Server, Path]]:
    """Runs the server. Yields it and a kubeconfig that points to it."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            status, body = server.answer(
                self.command, self.path, json.loads(text) if text else None, self.headers.get("Content-Type")
            )
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_PATCH = _reply  # noqa: N815  # http.server's names

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    config = folder / "kubeconfig"
    address = f"http://127.0.0.1:{http.server_address[1]}"
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": namespace}}],
                "clusters": [{"name": "here", "cluster": {"server": address}}],
                "users": [{"name": "me", "user": {}}],
            }
        )
    )
    try:
        yield server, config
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
