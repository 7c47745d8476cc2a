"A server on this machine that offers a small MNIST, with every fault that a network can bring."

import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from torchvision.datasets import MNIST

# A small MNIST: as many digits as the real one, each of 2 by 2 pixels.


def idx(array):
    "A gzipped IDX file of bytes."
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + array.tobytes(), compresslevel=1, mtime=0)


_rng = np.random.default_rng(0)
ARRAYS = [
    _rng.integers(0, 256, (60_000, 2, 2), np.uint8),
    _rng.integers(0, 10, 60_000, np.uint8),
    _rng.integers(0, 256, (10_000, 2, 2), np.uint8),
    _rng.integers(0, 10, 10_000, np.uint8),
]
FILES = dict(zip((name for name, _ in MNIST.resources), map(idx, ARRAYS)))  # name: content
FIRST = next(iter(FILES))


def md5(content):
    return hashlib.md5(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    "Serves /mirror/name, with the fault that the server was given for that mirror or that name."

    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        mirror, name = self.path.strip("/").split("/")
        body = FILES[name]
        fault = server.faults.get(name) or server.faults.get(mirror)
        if fault in ("404", "500"):
            return self.send_error(int(fault))
        if fault == "silent":
            return server.over.wait(30)
        if fault == "together":
            server.together.wait(20)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "drip":
            for at in range(30):
                self.wfile.write(body[at : at + 1])
                if server.over.wait(0.3):
                    return
            body = body[30:]
        if fault == "wrong":
            body = bytes(len(body))
        half = len(body) // 2
        self.wfile.write(body[:half])
        if fault == "cut" or fault == "half" and server.over.wait(30):
            return
        if fault == "slow":
            server.over.wait(0.3)
        self.wfile.write(body[half:])

    def log_message(self, *words):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults = {}  # name of a mirror or a file to what goes wrong
        self.asked = []  # paths, in order
        self.over = threading.Event()
        self.together = threading.Barrier(2)

    def mirror(self, name="first"):
        return f"http://127.0.0.1:{self.server_port}/{name}/"

    def handle_error(self, *whatever):
        pass  # the other side went away


def switches(tmp_path, monkeypatch, **values):
    "Write a settings.ini in the temporary folder; its cache lies beside it."
    lines = ["[learner]", *(f"{key} = {value}" for key, value in values.items())]
    (tmp_path / "settings.ini").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("HELPERS_SETTINGS", str(tmp_path / "settings.ini"))
