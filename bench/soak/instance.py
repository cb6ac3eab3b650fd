"""An instance of bench/soak.sh: `serve` answers, `slow` listens late, `dies` ends after a while, `endless` answers without an end, and
`daemon` leaves a child in a session of its own. Written on bare sockets, so that it starts fast."""
import os
import socket
import sys
import time

mode = sys.argv[1]
if mode == "daemon" and os.fork() == 0:
    os.setsid()
    time.sleep(600)
    sys.exit()
if mode == "slow":
    time.sleep(1)

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(os.environ["PORT"])))
server.listen(64)
if mode == "dies":
    server.settimeout(0.3)
ends = time.monotonic() + (1.5 if mode == "dies" else 1e9)
while time.monotonic() < ends:
    try:
        caller, _ = server.accept()
    except TimeoutError:
        continue
    with caller:
        try:
            caller.settimeout(2)
            caller.recv(4096)
            if mode == "endless":
                caller.sendall(b"HTTP/1.1 500 no\r\nConnection: close\r\n\r\n")
                while True:
                    caller.sendall(b"x" * 65536)
            caller.sendall(b"HTTP/1.1 200 ok\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        except OSError:
            pass
