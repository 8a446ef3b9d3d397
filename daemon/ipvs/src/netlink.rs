//! A generic-netlink socket to the family `IPVS`: requests out, one or many at a time; answers in, all their parts.

use std::{
    fmt::Debug,
    io,
    process::{Command as Program, Stdio},
};

use keepwatch_model::KernelBuffer;
use netlink_packet_core::{
    Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload,
    ParseableParametrized,
};
use netlink_packet_generic::{
    GenlFamily, GenlHeader, GenlMessage,
    ctrl::{GenlCtrl, GenlCtrlCmd, nlas::GenlCtrlAttrs},
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_GENERIC};
use nix::{
    libc,
    sys::{
        socket::{
            setsockopt,
            sockopt::{RcvBuf, RcvBufForce, ReceiveTimeout},
        },
        time::TimeVal,
    },
};

use crate::{
    codec::{Attribute, Command, Message},
    kernel::{Access, KernelError},
};

/// The kernel answers before it returns from taking the request; should it ever not, the engine must find out.
const ANSWERS_WITHIN: TimeVal = TimeVal::new(10, 0);
/// For a request whose answer is known to be lost at times.
const AT_ONCE: TimeVal = TimeVal::new(0, 200_000);
/// Room for answers, unless said otherwise.
const RECEIVE_BUFFER: u32 = 1 << 20;

/// The kernel puts 32 KiB at most into one part of a long answer (`netlink_dump`); an error repeats the request.
const LONGEST_ANSWER: usize = 1 << 16;

/// See the module.
pub(crate) struct Connection {
    socket: Socket,
    family: u16,
    sequence: u32,
    /// Why the socket has not the receive buffer that it should have since it was opened.
    pub(crate) refused_buffer: Option<KernelError>,
}

impl Connection {
    /// Connects, and asks for the module if the family is not there.
    pub(crate) fn open(access: &Access) -> Result<Self, KernelError> {
        let socket = access.within(|| {
            let mut socket = Socket::new(NETLINK_GENERIC)?;
            socket.bind_auto()?;
            socket.connect(&NetlinkAddress::new(0, 0))?;
            setsockopt(&socket, ReceiveTimeout, &ANSWERS_WITHIN)?;
            Ok(socket)
        })?;
        let socket = socket.map_err(KernelError::Socket)?;
        let mut connection = Self { socket, family: 0, sequence: 0, refused_buffer: None };
        // Without it all else works.
        connection.refused_buffer = connection.resize(access.receive_buffer).err();
        connection.family = match connection.resolve()? {
            Some(family) => family,
            None => {
                load_module();
                connection.resolve()?.ok_or(KernelError::NoIpvs)?
            }
        };
        Ok(connection)
    }

    /// Gives the socket another receive buffer.
    pub(crate) fn resize(&mut self, buffer: KernelBuffer) -> Result<(), KernelError> {
        let Some(bytes) = buffer.bytes else {
            // Answers to a whole batch must fit, whatever the system's default is; less is not fatal.
            let _ = self.socket.set_rx_buf_sz(RECEIVE_BUFFER);
            return Ok(());
        };
        // The kernel counts twice what is asked for.
        let bytes = (bytes as usize).min(i32::MAX as usize / 2);
        let done = match buffer.force {
            true => setsockopt(&self.socket, RcvBufForce, &bytes),
            false => setsockopt(&self.socket, RcvBuf, &bytes),
        };
        done.map_err(|errno| KernelError::Socket(errno.into()))
    }

    /// Sends requests together; gives the errors with their places among them. The kernel does them in their order and tells
    /// of each that it refuses, so that only the last has to be acknowledged.
    pub(crate) fn batch(
        &mut self,
        requests: impl Iterator<Item = Message>,
    ) -> Result<Vec<(usize, io::Error)>, KernelError> {
        let first = self.sequence.wrapping_add(1);
        let (mut bytes, mut requests) = (Vec::new(), requests.peekable());
        while let Some(request) = requests.next() {
            self.sequence = self.sequence.wrapping_add(1);
            let flags = if requests.peek().is_none() { NLM_F_ACK } else { 0 };
            bytes.extend(packet(self.family, self.sequence, flags, request));
        }
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        self.send(&bytes)?;
        self.refusals(first, self.sequence)
    }

    /// The number that the kernel gave the family `IPVS`; nothing if there is none.
    fn resolve(&mut self) -> Result<Option<u16>, KernelError> {
        let ask = GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(Message::family_name().to_owned())],
        };
        let answers = match self.exchange("look for the family IPVS", ask, 0) {
            Ok(answers) => answers,
            Err(KernelError::Refused { error, .. }) if error.raw_os_error() == Some(libc::ENOENT) => {
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        Ok(answers.iter().flat_map(|answer: &GenlCtrl| &answer.nlas).find_map(|attribute| match attribute {
            GenlCtrlAttrs::FamilyId(id) => Some(*id),
            _ => None,
        }))
    }

    pub(crate) fn ask(
        &mut self,
        request: &str,
        command: Command,
        attributes: Vec<Attribute>,
        flags: u16,
    ) -> Result<Vec<Message>, KernelError> {
        self.exchange(request, Message { command, attributes }, flags)
    }

    /// As [`Self::ask`], of a request whose acknowledgement the kernel loses at times: whether it came.
    pub(crate) fn try_to_ask(
        &mut self,
        request: &str,
        command: Command,
        attributes: Vec<Attribute>,
    ) -> Result<bool, KernelError> {
        let within = |socket: &Socket, limit| {
            setsockopt(socket, ReceiveTimeout, limit).map_err(|errno| KernelError::Socket(errno.into()))
        };
        within(&self.socket, &AT_ONCE)?;
        let asked = self.ask(request, command, attributes, NLM_F_ACK);
        within(&self.socket, &ANSWERS_WITHIN)?;
        match asked {
            Ok(_) => Ok(true),
            Err(KernelError::Socket(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends one request and gathers all parts of its answer.
    fn exchange<F>(&mut self, request: &str, message: F, flags: u16) -> Result<Vec<F>, KernelError>
    where
        F: GenlFamily + Emitable + Debug + Clone + ParseableParametrized<[u8], GenlHeader>,
    {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        self.send(&packet(self.family, sequence, flags, message))?;
        let undecodable = |error| KernelError::Answer { request: request.to_owned(), error };
        let mut answers = Vec::new();
        loop {
            let received = self.receive()?;
            for bytes in packets(&received) {
                let packet = NetlinkMessage::<GenlMessage<F>>::deserialize(bytes).map_err(undecodable)?;
                if packet.header.sequence_number != sequence {
                    continue;
                }
                match packet.payload {
                    NetlinkPayload::InnerMessage(inner) => {
                        answers.push(inner.payload);
                        if flags & (NLM_F_ACK | NLM_F_DUMP) == 0 {
                            return Ok(answers);
                        }
                    }
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(KernelError::Refused {
                            request: request.to_owned(),
                            error: error.to_io(),
                        });
                    }
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(answers),
                    _ => (),
                }
            }
        }
    }

    /// Waits for the answer to the last of a batch; gives the errors until then with their places in it.
    fn refusals(&mut self, first: u32, last: u32) -> Result<Vec<(usize, io::Error)>, KernelError> {
        let mut errors = Vec::new();
        loop {
            let received = self.receive()?;
            for bytes in packets(&received) {
                let packet = NetlinkMessage::<GenlMessage<Message>>::deserialize(bytes)
                    .map_err(|error| KernelError::Answer { request: "a batch".to_owned(), error })?;
                let place = packet.header.sequence_number.wrapping_sub(first);
                // What is older is the answer to something that was given up.
                let NetlinkPayload::Error(answer) = packet.payload else { continue };
                if place > last.wrapping_sub(first) {
                    continue;
                }
                if answer.code.is_some() {
                    errors.push((place as usize, answer.to_io()));
                }
                if packet.header.sequence_number == last {
                    return Ok(errors);
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Result<(), KernelError> {
        self.socket.send(bytes, 0).map(drop).map_err(KernelError::Socket)
    }

    fn receive(&self) -> Result<Vec<u8>, KernelError> {
        loop {
            let mut bytes = Vec::with_capacity(LONGEST_ANSWER);
            match self.socket.recv(&mut bytes, libc::MSG_TRUNC) {
                Ok(length) if length > bytes.len() => {
                    let error =
                        format!("an answer of {length} bytes, and there was room for {LONGEST_ANSWER}");
                    return Err(KernelError::Socket(io::Error::other(error)));
                }
                Ok(_) => return Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(KernelError::Socket(error)),
            }
        }
    }
}

fn packet<F>(family: u16, sequence: u32, flags: u16, payload: F) -> Vec<u8>
where
    F: GenlFamily + Emitable + Debug + Clone,
{
    let mut message = GenlMessage::from_payload(payload);
    message.set_resolved_family_id(family);
    let mut packet = NetlinkMessage::from(message);
    packet.header.flags = NLM_F_REQUEST | flags;
    packet.header.sequence_number = sequence;
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    // Packets that follow in the same message begin at a multiple of four.
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The packets in one received message.
fn packets(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = usize::try_from(NetlinkBuffer::new_checked(bytes).ok()?.length()).ok()?;
        let packet = bytes.get(..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(packet)
    })
}

/// Asks for the module by name, as the kernel does itself where it may.
fn load_module() {
    let modprobe = std::fs::read_to_string("/proc/sys/kernel/modprobe").unwrap_or_default();
    let modprobe = match modprobe.trim() {
        "" => "/sbin/modprobe",
        path => path,
    };
    // Whether it worked shows when the family is looked for again.
    let _ = Program::new(modprobe)
        .args(["-q", "ip_vs"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
