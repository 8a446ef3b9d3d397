#!/usr/bin/env python3
"""Servers that do well and that fail in every way, each on a port of its own.

config                       prints virtual servers whose checkers watch them
serve NAMESPACE PEM          is these servers; after SIGUSR1 all of them do well
judge FILE                   reads what `ipvsadm -Sn` showed, and prints each with `up` or `down`
"""
import ctypes
import hashlib
import itertools
import signal
import socket
import ssl
import sys
import threading
import time

PAGE = b"HTTP/1.1 200 OK\r\n\r\nhello world"
DIGEST = hashlib.md5(b"hello world").hexdigest()
HOST = "192.168.2.2"
WELL = threading.Event()


def reset(stream):
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def linger(stream, *_):
    stream.settimeout(60)
    while stream.recv(1000):
        pass


def half(stream, *_):
    stream.shutdown(socket.SHUT_WR)
    linger(stream)


def say(text):
    return lambda stream: stream.sendall(text)


def begin(text, then):
    def act(stream):
        stream.sendall(text)
        then(stream)
    return act


def endless(text):
    def act(stream):
        while True:
            stream.sendall(text)
    return act


# What is done once the request has come.
HTTP = {
    "good": say(PAGE),
    "down": None,
    "slow": linger,
    "status": say(b"HTTP/1.1 503 Service Unavailable\r\n\r\nhello world"),
    "digest": say(b"HTTP/1.1 200 OK\r\n\r\nhello there"),
    "garbage": say(b"\0\1SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "half-closed": half,
    "cut header": say(b"HTTP/1.1 200 OK\r\nServer: te"),
    "endless body": begin(b"HTTP/1.1 200 OK\r\n\r\n", endless(b"x" * 1000)),
    "endless header": begin(b"HTTP/1.1 200 OK\r\nX: ", endless(b"x" * 1000)),
    "reset": reset,
    "whole page, left open": begin(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", linger),
    "no reason phrase": say(b"HTTP/1.1 200\r\n\r\nhello world"),
}
SSL = {name: HTTP[name] for name in ("good", "down", "slow", "status", "digest", "garbage", "endless body", "reset")}
# What is done instead of a handshake.
RAW = {
    "no TLS": say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "half-closed": half,
    "reset in the handshake": reset,
    "silent handshake": linger,
}
MAIL = ["220 ready\r\n", "250 hello\r\n", "221 bye\r\n"]
SMTP = {
    "good": MAIL,
    "down": None,
    "slow": linger,
    "greeting 554": ["554 no\r\n"],
    "HELO 550": ["220 ready\r\n", "550 who?\r\n"],
    "garbage": ["SSH-2.0-OpenSSH_9.2\r\n"],
    "half-closed": half,
    "endless": endless(b"220-more\r\n"),
    "reset": reset,
    "greeting of two lines": ["220-one\r\n220 two\r\n", "250 hello\r\n", "221 bye\r\n"],
    "no answer to QUIT": ["220 ready\r\n", "250 hello\r\n", ""],
}
TCP = {"good": linger, "down": None, "slow": linger, "garbage": say(b"\0\1"), "half-closed": half,
       "endless": endless(b"x" * 1000), "reset": reset}


def dns(flags, other=0, question=0):
    def answer(asked):
        asked = bytearray(asked)
        asked[1] ^= other
        asked[2:4] = flags.to_bytes(2, "big")
        asked[13] ^= question
        return bytes(asked)
    return answer


DNS = {"good": dns(0x8180), "down": None, "slow": lambda asked: None, "rcode 3": dns(0x8183), "rcode 2": dns(0x8182),
       "another id": dns(0x8180, other=1), "another question": dns(0x8180, question=1),
       "garbage": lambda asked: b"not DNS"}
UDP = {"good": lambda asked: b"pong", "down": None, "slow": lambda asked: None, "wrong answer": lambda asked: b"ping",
       "garbage": lambda asked: b"\0"}
CHECKERS = {
    "TCP_CHECK": (2100, TCP, ""),
    "HTTP_GET": (2200, HTTP, f"url {{\n path /page\n status_code 200\n digest {DIGEST}\n }}"),
    "SSL_GET": (2300, {**SSL, **RAW}, f"url {{\n path /page\n status_code 200\n digest {DIGEST}\n }}"),
    "SMTP_CHECK": (2400, SMTP, ""),
    "DNS_CHECK": (2500, DNS, "type A\n name a.example.com"),
    "UDP_CHECK": (2600, UDP, "payload 70696e67\n require_reply 706f6e67"),
}


def cells():
    for checker, (base, acts, _) in CHECKERS.items():
        for port, (name, act) in zip(itertools.count(base), acts.items()):
            yield checker, port, name, act


def config():
    for checker, (base, acts, more_of_it) in CHECKERS.items():
        protocol = "UDP" if checker in ("DNS_CHECK", "UDP_CHECK") else "TCP"
        print(f"virtual_server 10.0.0.1 {base} {{\n lvs_sched rr\n lvs_method NAT\n protocol {protocol}\n alpha\n"
              " delay_loop 2\n warmup 0\n retry 0\n delay_before_retry 1")
        for _, port, _, _ in (cell for cell in cells() if cell[0] == checker):
            print(f" real_server {HOST} {port} {{\n {checker} {{\n connect_timeout 2\n {more_of_it}\n }}\n }}")
        print("}")


def enter(name):
    with open(f"/run/netns/{name}") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), name)


def request(stream):
    asked = b""
    while b"\r\n\r\n" not in asked:
        part = stream.recv(2000)
        if not part:
            raise OSError("gone")
        asked += part


def stream_of(checker, name, act, stream, tls):
    try:
        stream.settimeout(10)
        if checker == "TCP_CHECK":
            act(stream)
        elif checker == "SMTP_CHECK":
            act = MAIL if WELL.is_set() else act
            if callable(act):
                act(stream)
            else:
                for number, answer in enumerate(act):
                    if number:
                        stream.recv(100)
                    stream.sendall(answer.encode())
        else:
            if checker == "SSL_GET":
                if name in RAW and not WELL.is_set():
                    stream.recv(1)
                    act(stream)
                    return
                stream = tls.wrap_socket(stream, server_side=True)
            request(stream)
            (HTTP["good"] if WELL.is_set() else act)(stream)
    except OSError:
        pass
    finally:
        stream.close()


def listen(checker, port, name, act, tls):
    if checker in ("DNS_CHECK", "UDP_CHECK"):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((HOST, port))
        while True:
            asked, peer = one.recvfrom(1000)
            good = (DNS if checker == "DNS_CHECK" else UDP)["good"]
            answer = (good if WELL.is_set() else act)(asked)
            if answer:
                one.sendto(answer, peer)
    listener = socket.create_server((HOST, port), backlog=100)
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=stream_of, args=(checker, name, act, stream, tls), daemon=True).start()


def serve(namespace, pem):
    signal.signal(signal.SIGUSR1, lambda *_: WELL.set())
    enter(namespace)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    for checker, port, name, act in cells():
        if act:
            threading.Thread(target=listen, args=(checker, port, name, act, tls), daemon=True).start()
    print("serving", flush=True)
    while True:
        time.sleep(0.2)


def judge(path):
    with open(path) as file:
        table = file.read()
    for checker, port, name, _ in cells():
        print(f"{checker} {name}: {'up' if f' -r {HOST}:{port} ' in table else 'down'}")


{"config": config, "serve": serve, "judge": judge}[sys.argv[1]](*sys.argv[2:])
