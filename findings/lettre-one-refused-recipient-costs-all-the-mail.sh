#!/usr/bin/env bash
# One refused recipient costs every other recipient the mail, and the error does not say which one it was.
#
# Version:     lettre 0.11.23 (Rust), against aiosmtpd 1.4.6 (PyPI).
# Expectation: a server that refuses one RCPT (550) and takes the others gets the message for those others, as RFC 5321
#              section 3.3 lets a client do and as sendmail, Postfix and Python's smtplib do; or the error names the
#              address that was refused.
# Behaviour:   at the first refused RCPT lettre sends QUIT. Nobody gets the mail, and the error is the server's text alone.
#              Who mails several people has to send one mail a recipient, or speak RCPT himself.
# Seen:        send: permanent error (550): no such user here
#              error names the address: false
#              messages delivered: 0
#
# Needs cargo, python3 with venv.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
server=
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet aiosmtpd==1.4.6
cat >"$folder/server.py" <<'PYTHON'
import sys, time
from aiosmtpd.controller import Controller


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        with open(sys.argv[1], "a") as out:
            out.write("delivered\n")
        return "250 OK"


controller = Controller(Handler(), hostname="127.0.0.1", port=int(sys.argv[2]))
controller.start()
time.sleep(120)
PYTHON
mkdir -p "$folder/try/src"
cat >"$folder/try/Cargo.toml" <<'TOML'
[package]
name = "try"
version = "0.0.0"
edition = "2024"

[dependencies]
lettre = { version = "=0.11.23", default-features = false, features = ["builder", "smtp-transport"] }
TOML
cat >"$folder/try/src/main.rs" <<'RUST'
use lettre::{Message, SmtpTransport, Transport};

fn main() {
    let port = std::env::args().nth(1).unwrap().parse().unwrap();
    let mail = Message::builder()
        .from("router@example.net".parse().unwrap())
        .to("ada@example.net".parse().unwrap())
        .to("gone@example.net".parse().unwrap())
        .to("grace@example.net".parse().unwrap())
        .subject("a test")
        .body("text".to_owned())
        .unwrap();
    let transport = SmtpTransport::builder_dangerous("127.0.0.1").port(port).build();
    match transport.send(&mail) {
        Ok(_) => println!("send: Ok"),
        Err(error) => {
            println!("send: {error}");
            println!("error names the address: {}", error.to_string().contains("gone@"));
        }
    }
}
RUST
port=$((20000 + RANDOM % 20000))
touch "$folder/delivered"
"$folder/venv/bin/python" "$folder/server.py" "$folder/delivered" "$port" &
server=$!
cargo build --quiet --manifest-path "$folder/try/Cargo.toml"
output=$("$folder/try/target/debug/try" "$port"; echo "messages delivered: $(wc -l <"$folder/delivered")")
echo "$output"
[ "$output" = "send: permanent error (550): no such user here
error names the address: false
messages delivered: 0" ]
