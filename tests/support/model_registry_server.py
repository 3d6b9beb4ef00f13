"""A small Model Registry. It keeps entries in memory and answers the real client over HTTP.

The client's models read each body and must write the same body, so no field is misspelt or ignored. It answers like
the `internal/core` of kubeflow/model-registry: names are unique, a second one gives 409.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mr_openapi import ModelArtifact, ModelVersionCreate, RegisteredModelCreate

ROOT = "/api/model_registry/v1/"


class Server:
    """The entries of the registry, and the failures to simulate.

    Attributes:
        address: The address at which it listens.
        entries: (kind, parent's id, name) -> entry.
        requests: Method and path of each request so far.
        tokens: The Authorization header of each request so far.
        failures: Path -> (status, content type, text) of its next answers.
        on_create: Called before an entry is created, to simulate another client.
    """

    def __init__(self) -> None:
        self.address = ""
        self.entries: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.requests: list[str] = []
        self.tokens: list[str | None] = []
        self.failures: dict[str, list[tuple[int, str, str]]] = {}
        self.on_create: Callable[[tuple[str, str, str]], None] = lambda key: None

    def answer(self, method: str, target: str, text: str) -> tuple[int, str, str]:
        """Returns status, content type and text for a request."""
        url = urlsplit(target)
        assert url.path.startswith(ROOT), url.path
        path = url.path.removeprefix(ROOT)
        self.requests.append(f"{method} {path}")
        if self.failures.get(path):
            return self.failures[path].pop(0)
        status, found = self._create(path, json.loads(text)) if method == "POST" else self._find(path, url.query)
        return status, "application/json; charset=UTF-8", json.dumps(found)

    def named(self, kind: str) -> dict[str, dict[str, Any]]:
        """Returns the entries of a kind by name."""
        return {key[2]: entry for key, entry in self.entries.items() if key[0] == kind}

    def add(self, key: tuple[str, str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Stores an entry and gives it its id."""
        self.entries[key] = {**body, "id": str(len(self.entries) + 1)}
        return self.entries[key]

    def _find(self, path: str, query: str) -> tuple[int, dict[str, Any]]:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        key = (path, asked.get("parentResourceId", ""), asked["name"])
        if key not in self.entries:
            return 404, {"code": "404", "message": f"no {path} found for name={asked['name']}"}
        return 200, self.entries[key]

    def _create(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "registered_models":
            model: Any = RegisteredModelCreate
            key = ("registered_model", "", body["name"])
        elif path == "model_versions":
            model, key = ModelVersionCreate, ("model_version", body["registeredModelId"], body["name"])
        else:
            model, key = ModelArtifact, ("model_artifact", path.split("/")[1], body["name"])
        assert model.from_dict(body).to_dict() == body
        self.on_create(key)
        if key in self.entries:
            return 409, {"code": "409", "message": f"{key[0]} with name {key[2]} already exists"}
        return 201, self.add(key, body)


@contextmanager
def serving() -> Iterator[Server]:
    """Runs the server. Yields it."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            server.tokens.append(self.headers.get("Authorization"))
            status, content_type, answer = server.answer(self.command, self.path, text)
            content = answer.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _reply  # noqa: N815  # http.server's names

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    server.address = f"http://127.0.0.1:{http.server_address[1]}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
