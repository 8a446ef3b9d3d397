#!/usr/bin/env python3
"""Datagrams, SCTP and pages over TLS for the plays: busybox has none of them.

pages DIRECTORY CERTIFICATE NAMESPACE…
                                      serves DIRECTORY/NAMESPACE/… on the ports 80 and, over TLS, 443
serve PORT_UDP PORT_SCTP NAMESPACE…   answers everybody in these namespaces with the name of the namespace
ask udp|sctp ADDRESS PORT COUNT       asks so often, each time from a new socket; prints the answers
echo PORT NAMESPACE…                  answers each line of a connection in these namespaces with the name of the namespace
hold udp|tcp ADDRESS PORT FIFO        asks once for each line that comes out of FIFO, always from the same socket; prints who
                                      answers, and `silence` soon if the line is `again`
"""
import contextlib
import ctypes
import pathlib
import selectors
import socket
import ssl
import sys
import threading

SCTP = 132
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(name):
    with open(f"/run/netns/{name}") as namespace:
        if LIBC.setns(namespace.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), name)


def sock(kind, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if kind == "udp":
        return socket.socket(family, socket.SOCK_DGRAM)
    return socket.socket(family, socket.SOCK_STREAM, SCTP)


def serve(udp, sctp, names):
    waiting = selectors.DefaultSelector()
    for name in names:
        enter(name)
        datagrams = sock("udp", "::")
        datagrams.bind(("::", udp))
        waiting.register(datagrams, selectors.EVENT_READ, ("udp", name.encode()))
        streams = sock("sctp", "0.0.0.0")
        streams.bind(("0.0.0.0", sctp))
        streams.listen(16)
        waiting.register(streams, selectors.EVENT_READ, ("sctp", name.encode()))
    print("serving", flush=True)
    while True:
        for key, _ in waiting.select():
            kind, name = key.data
            if kind == "udp":
                _, peer = key.fileobj.recvfrom(100)
                key.fileobj.sendto(name, peer)
            else:
                stream, _ = key.fileobj.accept()
                stream.sendall(name)
                stream.close()


def page(stream, directory):
    try:
        stream.settimeout(5)
        asked = b""
        while b"\r\n\r\n" not in asked:
            part = stream.recv(2000)
            if not part:
                return
            asked += part
        path = directory / asked.split()[1].decode().lstrip("/").split("?")[0]
        if path.is_file():
            stream.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + path.read_bytes())
        else:
            stream.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")
    except OSError:
        pass
    finally:
        stream.close()


def accept(listener, directory, tls):
    while True:
        stream, _ = listener.accept()
        try:
            stream.settimeout(5)
            page(tls.wrap_socket(stream, server_side=True) if tls else stream, directory)
        except OSError:
            stream.close()


def pages(directory, certificate, names):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    for name in names:
        enter(name)
        for port, context in ((80, None), (443, tls)):
            listener = socket.create_server(("", port))
            work = (listener, pathlib.Path(directory) / name, context)
            threading.Thread(target=accept, args=work, daemon=True).start()
    print("serving", flush=True)
    threading.Event().wait()


def ask(kind, address, port, count):
    for _ in range(count):
        one = sock(kind, address)
        one.settimeout(5)
        try:
            one.connect((address, port))
            if kind == "udp":
                one.send(b"?")
            print(one.recv(100).decode())
        except OSError as error:
            print(error)
        one.close()


def lines(stream, name):
    try:
        while stream.recv(100):
            stream.sendall(name)
    except OSError:
        pass
    stream.close()


def greet(listener, name):
    while True:
        threading.Thread(target=lines, args=(listener.accept()[0], name), daemon=True).start()


def echo(port, names):
    for name in names:
        enter(name)
        listener = socket.create_server(("", port))
        threading.Thread(target=greet, args=(listener, name.encode()), daemon=True).start()
    print("serving", flush=True)
    threading.Event().wait()


def hold(kind, address, port, fifo):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    one.settimeout(30)
    one.connect((address, port))
    with open(fifo) as asked:
        for line in asked:
            try:
                # An answer to what was asked before may have come late.
                one.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    one.recv(1000)
                # What was lost of a connection is sent again after ever longer pauses.
                one.settimeout(3 if line.startswith("again") else 30)
                one.send(b"?")
                print(line.strip(), one.recv(100).decode()[:4] or "end", flush=True)
            except OSError as error:
                print(line.strip(), "silence" if isinstance(error, TimeoutError) else error.strerror, flush=True)


if sys.argv[1] == "pages":
    pages(sys.argv[2], sys.argv[3], sys.argv[4:])
elif sys.argv[1] == "serve":
    serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
elif sys.argv[1] == "echo":
    echo(int(sys.argv[2]), sys.argv[3:])
elif sys.argv[1] == "hold":
    hold(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
else:
    ask(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
