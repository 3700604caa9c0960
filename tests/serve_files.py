"""A web server on a free port of this machine for the download tests. Prints the port, ends when its input ends.

Every file is CONTENT. /range/NAME goes on where asked, /plain/NAME cannot, /short/NAME promises all and sends half, /slow/NAME takes a second,
/moved/NAME redirects to plain http, anything else is 404."""
import http.server
import os
import sys
import threading
import time

CONTENT = bytes((i * 7 + i // 251) % 256 for i in range(300000))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind = self.path.split("/")[1]
        if kind == "moved":
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}/plain/x")
            self.end_headers()
            return
        if kind not in ("range", "plain", "short", "slow"):
            self.send_error(404)
            return
        first, status = 0, 200
        wanted = self.headers.get("Range")
        if kind == "range" and wanted:
            first, status = int(wanted.split("=")[1].split("-")[0]), 206
            if first >= len(CONTENT):
                self.send_error(416)
                return
        body = CONTENT[first:]
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        pieces = 20 if kind == "slow" else 1
        size = len(body) // 2 if kind == "short" else len(body) // pieces
        for i in range(pieces):
            self.wfile.write(body[i * size : (i + 1) * size])
            if kind == "slow":
                time.sleep(0.05)

    def log_message(self, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
