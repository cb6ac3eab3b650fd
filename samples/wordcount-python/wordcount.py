"""A function that counts words: POST a text. Python's standard library and nothing else."""
import collections
import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WordCount(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body in one packet; in two, Nagle's algorithm would hold the second back for 40 ms

    def do_GET(self):
        self.answer("ok")

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        counts = collections.Counter(re.findall(r"\w+", text.lower()))
        self.answer(json.dumps({"words": sum(counts.values()), "most": counts.most_common(3), "pid": os.getpid()}) + "\n")

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), WordCount).serve_forever()
