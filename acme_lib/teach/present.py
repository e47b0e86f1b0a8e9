"""A demonstration in the browser: a page and the process that computes for it, on this machine alone.

The page holds the state. Each request says all that a picture depends on, and is answered with pixels that the page
puts on the screen as they are. Whatever happens to the process that computes, the next one goes on where it was:
`present` starts another, and the page asks again as soon as its reader presses a key.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

from acme_lib.errors import AcmeError
from acme_lib.teach.demo import Demo, list_demos

HOST, PORT = "127.0.0.1", 8765
_LARGEST = 8000  # pixels: wider than any screen


def present(root, chapter, *, port=None, browser=True):
    """Show the demonstration of a chapter until it is interrupted; returns an exit status.

    Parameters
    ----------
    root : path
        The course.
    chapter : int
    port : int, optional
        Default: 8765, or a free one where that is taken.
    browser : bool
        Open the page.
    """
    names = list_demos()
    if chapter not in names:
        print(f"acme present: chapter {chapter} has no demonstration; those with one: {', '.join(map(str, names))}")
        return 2
    notebook = Path(root) / "course" / f"{names[chapter]}.ipynb"
    if not notebook.is_file():
        print(f"acme present: {notebook} is missing")
        return 2
    port = port or _free_port()
    command = [sys.executable, "-m", "acme_lib.teach.present", str(chapter), str(notebook.resolve()), str(port)]
    address, started = f"http://{HOST}:{port}/", False
    print(f"acme present: getting chapter {chapter} ready …", flush=True)
    while True:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            ready = child.stdout.readline() == b"ready\n"
            if ready and not started:
                print(f"acme present: {address} (Ctrl-C here ends it, ? there shows the keys)", flush=True)
                if browser:
                    webbrowser.open(address)
            started = started or ready
            status = child.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            child.stdin.close()  # ends the child
            child.stdout.close()
            child.wait()
        if not ready:
            return status or 1
        print("acme present: what computes has ended, and is started again", flush=True)


def _free_port():
    for port in (PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
            try:
                tried.bind((HOST, port))
            except OSError:
                continue
            return tried.getsockname()[1]
    raise OSError("no free port")


class Handler(BaseHTTPRequestHandler):
    """Answers the page: with itself, with the facts of the demonstration, and with pixels."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    demo, drawing = None, threading.Lock()

    def do_GET(self):
        """Send the page, or what it shows beside its pictures."""
        if self.path == "/":
            page = (resources.files("acme_lib.teach") / "present.html").read_bytes()
            self._answer(200, page, "text/html; charset=utf-8")
        elif self.path == "/demo":
            self._answer(200, json.dumps(self.demo.facts).encode(), "application/json")
        else:
            self._answer(404)

    def do_POST(self):
        """Draw what the page asks for, or end, so that `present` starts another process."""
        if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":  # another page in the same browser
            self._answer(403)
            return
        try:
            asked = json.loads(self.rfile.read(min(int(self.headers["Content-Length"]), 10_000)))
            if self.path == "/restart":
                os._exit(0)
            facts, pixels = self._draw(asked)
        except (ValueError, TypeError, KeyError, IndexError):
            self._answer(400)
            return
        head = json.dumps(facts).encode()
        self._answer(200, len(head).to_bytes(4, "little") + head + pixels, "application/octet-stream")

    def _draw(self, asked):
        width, height, letters = (int(asked[name]) for name in ("width", "height", "letters"))
        if not (0 < width <= _LARGEST and 0 < height <= _LARGEST and 0 < letters <= 500):
            raise ValueError("no such screen")
        with self.drawing:
            if asked["panel"] == "legend":
                pixels, text = self.demo.draw_legend(width, letters), ""
            else:
                panel, at = int(asked["panel"]), [int(place) for place in asked["at"]]
                try:
                    text, pixels = self.demo.draw(panel, at, width, height, letters)
                except Exception as error:  # a lecture goes on: the last good picture stays
                    print(f"acme present: no picture at {at}: {type(error).__name__}: {error}", file=sys.stderr)
                    return {"run": os.getpid(), "failed": True}, b""
            shape = {"height": pixels.shape[0], "width": pixels.shape[1]}
            return {"run": os.getpid(), "text": text, **shape}, pixels.tobytes()

    def _answer(self, status, body=b"", kind="text/plain"):
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", len(body)), ("Cache-Control", "no-store")):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Leave the terminal to what its reader can use."""


class Server(ThreadingHTTPServer):
    """A server that says nothing of a page that was closed or a connection that was cut."""

    daemon_threads = True

    def handle_error(self, *_):
        """Go on."""


def _serve(chapter, notebook, port):
    def end_with_the_parent():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=end_with_the_parent, daemon=True).start()
    try:
        server = Server((HOST, port), Handler)
    except OSError as error:
        print(f"acme present: port {port} cannot be used: {error.strerror}", file=sys.stderr)
        return 2
    with server:
        try:
            Handler.demo = demo = Demo(chapter, notebook)
        except AcmeError as error:
            print(f"acme present: {error}", file=sys.stderr)
            return 2
        for preset in demo.facts["presets"]:  # what must be compiled is compiled before anybody looks
            for panel in (0, 1):
                demo.draw(panel, preset["at"], 640, 360, 24)
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        sys.exit(_serve(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
    except KeyboardInterrupt:
        sys.exit(0)
