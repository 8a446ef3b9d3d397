#!/usr/bin/env python3
"""Servers, hosts and scripts that do well and that fail in every way, each with a port of its own.

KINDS in the environment names the checkers that are played.

config                       prints virtual servers whose checkers watch them
good                         prints the one of each checker that does well, as `ipvsadm -Sn` shows it
serve NAMESPACE PEM          is these servers, hosts and scripts; after SIGUSR1 all of them do well
judge FILE                   reads what `ipvsadm -Sn` showed, and prints each with `up` or `down`
"""
import ctypes
import hashlib
import itertools
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
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


def answer(message, at=None):
    """An echo reply (RFC 792); `at` is the place of the byte that is not as it should be."""
    reply = bytearray(message)
    reply[0] = 0
    if at:
        reply[at] ^= 0x40
    return bytes(reply)


NOISE = [bytes([200]) * 64, bytes(4)]
# What is sent for a request: the whole packet, its message, and the message before it.
PING = {
    "good": lambda packet, message, before: [answer(message)],
    "down": None,
    "the answer before": lambda packet, message, before: [answer(before)] if before else [],
    "other data": lambda packet, message, before: [answer(message, 8)],
    "other identifier": lambda packet, message, before: [answer(message, 4)],
    "other number": lambda packet, message, before: [answer(message, 7)],
    "no data": lambda packet, message, before: [answer(message[:8])],
    "garbage": lambda packet, message, before: [message, *NOISE],
    "endless": lambda packet, message, before: [answer(message, 8)] * 300,
    "noise before": lambda packet, message, before: [message, *NOISE, answer(message)],
    "forbidden": lambda packet, message, before: [bytes([3, 13, 0, 0, 0, 0, 0, 0]) + packet[:28]],
}
SCRIPTS = pathlib.Path("/run/work/scripts")
MISC = {
    "good": "#!/bin/sh\nexit 0\n",
    "status": "#!/bin/sh\nexit 255\n",
    "signal": "#!/bin/sh\nkill -SEGV $$\n",
    "slow": "#!/bin/sh\ntrap 'exit 0' TERM\nsleep 9 &\nwait\n",
    "endless": "#!/bin/sh\nwhile :; do echo more; sleep 1; done\n",
    "much": "#!/bin/sh\nhead -c 300000 /dev/zero\nexit 0\n",
    "asks": "#!/bin/sh\nread answer && exit 0\nexit 3\n",
    "closes": "#!/bin/sh\nexec <&- >&- 2>&-\nexit 0\n",
    "leaves": "#!/bin/sh\nsleep 60 &\nexit 0\n",
    "garbage": "\1\2garbage\n",
    "interpreter": "#!/nowhere/python\n",
    "denied": "#!/bin/sh\nexit 0\n",
}
CHECKERS = {
    "TCP_CHECK": (2100, TCP, ""),
    "HTTP_GET": (2200, HTTP, f"url {{\n path /page\n status_code 200\n digest {DIGEST}\n }}"),
    "SSL_GET": (2300, {**SSL, **RAW}, f"url {{\n path /page\n status_code 200\n digest {DIGEST}\n }}"),
    "SMTP_CHECK": (2400, SMTP, ""),
    "DNS_CHECK": (2500, DNS, "type A\n name a.example.com"),
    "UDP_CHECK": (2600, UDP, "payload 70696e67\n require_reply 706f6e67"),
    "PING_CHECK": (2700, PING, ""),
    "MISC_CHECK": (2800, MISC, ""),
}
CHECKERS = {checker: CHECKERS[checker] for checker in os.environ["KINDS"].split()}


def cells():
    for checker, (base, acts, _) in CHECKERS.items():
        for port, (name, act) in zip(itertools.count(base), acts.items()):
            yield checker, port, name, act


def host(checker, port):
    """Hosts that are pinged have an address each."""
    return f"192.168.2.{port - 2600}" if checker == "PING_CHECK" else HOST


def config():
    for checker, (base, acts, more_of_it) in CHECKERS.items():
        protocol = "UDP" if checker in ("DNS_CHECK", "UDP_CHECK") else "TCP"
        print(f"virtual_server 10.0.0.1 {base} {{\n lvs_sched rr\n lvs_method NAT\n protocol {protocol}\n alpha\n"
              " delay_loop 2\n warmup 0\n retry 0\n delay_before_retry 1")
        for _, port, _, _ in (cell for cell in cells() if cell[0] == checker):
            within = "connect_timeout 2"
            if checker == "MISC_CHECK":
                within = f"misc_path {SCRIPTS}/{port}\n misc_timeout 2\n user root"
            print(f" real_server {host(checker, port)} {port} {{\n {checker} {{\n {within}\n {more_of_it}\n }}\n }}")
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


def seal(message):
    """Sets the checksum (RFC 1071)."""
    message = message[:2] + bytes(2) + message[4:]
    words = struct.unpack(f"!{(len(message) + 1) // 2}H", message + bytes(len(message) % 2))
    total = sum(words)
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return message[:2] + struct.pack("!H", total ^ 0xffff) + message[4:]


def pinged(address, act):
    one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    one.bind((address, 0))
    before = None
    while True:
        packet, peer = one.recvfrom(2000)
        message = packet[(packet[0] & 15) * 4:]
        if len(message) < 8 or message[0] != 8:
            continue
        answers = (PING["good"] if WELL.is_set() else act)(packet, message, before)
        before = message
        sealed = {message: seal(message) for message in answers}
        for message in answers:
            one.sendto(sealed[message], peer)


def write_scripts():
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    for checker, port, name, text in cells():
        if checker == "MISC_CHECK":
            script = SCRIPTS / str(port)
            # Written anew beside it: what is being run can't be written to.
            fresh = script.with_suffix(".new")
            fresh.write_text(MISC["good"] if WELL.is_set() else text)
            fresh.chmod(0o644 if name == "denied" and not WELL.is_set() else 0o755)
            os.replace(fresh, script)


def serve(namespace, pem):
    signal.signal(signal.SIGUSR1, lambda *_: WELL.set())
    enter(namespace)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    pathlib.Path("/proc/sys/net/ipv4/icmp_echo_ignore_all").write_text("1")
    write_scripts()
    for checker, port, name, act in cells():
        if checker == "MISC_CHECK" or not act:
            continue
        if checker == "PING_CHECK":
            address = host(checker, port)
            # It is there already when they serve for the second time.
            subprocess.run(["ip", "addr", "add", f"{address}/24", "dev", "eth0"], stderr=subprocess.DEVNULL, check=False)
            work = (pinged, (address, act))
        else:
            work = (listen, (checker, port, name, act, tls))
        threading.Thread(target=work[0], args=work[1], daemon=True).start()
    print("serving", flush=True)
    while not WELL.is_set():
        time.sleep(0.2)
    write_scripts()
    threading.Event().wait()


def judge(path):
    with open(path) as file:
        table = file.read()
    for checker, port, name, _ in cells():
        print(f"{checker} {name}: {'up' if f' -r {host(checker, port)}:{port} ' in table else 'down'}")


def good():
    for checker, port, name, _ in cells():
        if name == "good":
            print(f"{host(checker, port)}:{port}")


{"config": config, "good": good, "serve": serve, "judge": judge}[sys.argv[1]](*sys.argv[2:])
