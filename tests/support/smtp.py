"""A mail server on loopback that keeps what it gets: enough of RFC 5321 for a client that sends."""

import email
import email.policy
import socketserver
import threading
from contextlib import contextmanager


class Mailbox:
    """What arrived, and whether the server takes anything."""

    def __init__(self):
        self.port = 0
        self.messages = []
        self.recipients = []
        self.is_busy = False


@contextmanager
def smtp():
    """Serve mail on a free port of 127.0.0.1."""
    box = Mailbox()

    class Talk(socketserver.StreamRequestHandler):
        def handle(self):
            self.say("220 mail.example.org ESMTP")
            while line := self.rfile.readline().decode("utf-8", "replace").strip():
                verb = line[:4].upper()
                if verb == "DATA":
                    self.say("354 go on")
                    self.keep()
                elif verb in ("EHLO", "HELO"):
                    self.say("250 mail.example.org")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                elif verb == "RCPT" and box.is_busy:
                    self.say("451 try again later")
                else:
                    if verb == "RCPT":
                        box.recipients.append(line.partition(":")[2].strip(" <>"))
                    self.say("250 ok")

        def keep(self):
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            box.messages.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
            self.say("250 kept")

        def say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Talk) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()
