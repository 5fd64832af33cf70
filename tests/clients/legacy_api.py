"""An API that wants a key in a header and knows nothing else, on loopback: its port is the first argument."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Contacts(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b'{"contacts":[]}'
        self.send_response(200 if self.headers.get("x-api-key") == "the-key-of-the-crm" else 403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Contacts).serve_forever()
