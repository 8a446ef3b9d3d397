//! Cuts a stream of bytes into packets.
//!
//! Goes in: whatever a read returned. Comes out: one whole packet at a time. Holds no more than one packet of the
//! largest size that it accepts plus one read.

use bytes::BytesMut;

use crate::pdu::{HEADER_LENGTH, RawHeader};
use crate::wire::DecodeError;

/// The largest payload that is accepted. net-snmp's master sends one SNMP request's worth (64 KiB of UDP) at most.
pub const MAX_PAYLOAD: u32 = 256 * 1024;

/// Bytes received and not yet handed on.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
}

impl Framer {
    /// Adds what was read.
    pub fn push(&mut self, raw: &[u8]) {
        self.buffer.extend_from_slice(raw);
    }

    /// Forgets everything: the connection is a new one.
    pub fn clear(&mut self) {
        self.buffer = BytesMut::new();
    }

    /// Whether [`next_packet`](Self::next_packet) has something to say.
    pub fn has_packet(&self) -> bool {
        match RawHeader::decode(&self.buffer) {
            Ok(header) => {
                header.payload > MAX_PAYLOAD || self.buffer.len() >= HEADER_LENGTH + header.payload as usize
            }
            Err(_) => self.buffer.len() >= HEADER_LENGTH,
        }
    }

    /// Takes the next whole packet off, if there is one yet.
    ///
    /// # Errors
    /// The stream can't be followed any more: its header is not AgentX, or announces more than [`MAX_PAYLOAD`].
    pub fn next_packet(&mut self) -> Result<Option<BytesMut>, DecodeError> {
        if self.buffer.len() < HEADER_LENGTH {
            return Ok(None);
        }
        let header = RawHeader::decode(&self.buffer)?;
        if header.payload > MAX_PAYLOAD {
            return Err(DecodeError::PayloadLength(header.payload));
        }
        let length = HEADER_LENGTH + header.payload as usize;
        if self.buffer.len() < length {
            return Ok(None);
        }
        Ok(Some(self.buffer.split_to(length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::{Body, Header, Packet};

    fn ping(packet: u32) -> Vec<u8> {
        let header = Header { packet, ..Header::default() };
        Packet { header, context: None, body: Body::Ping }.encode().unwrap()
    }

    #[test]
    fn packets_come_out_whole_however_the_stream_is_cut() {
        let stream: Vec<u8> = (0..5).flat_map(ping).collect();
        for cut in 1..stream.len() {
            let mut framer = Framer::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(cut) {
                framer.push(piece);
                while let Some(packet) = framer.next_packet().unwrap() {
                    seen.push(Packet::decode(&packet).unwrap().header.packet);
                }
            }
            assert_eq!(seen, [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn a_giant_announcement_is_refused_before_anything_is_stored_for_it() {
        let mut framer = Framer::default();
        let mut header = ping(0);
        header[16..20].copy_from_slice(&0xffff_fffc_u32.to_be_bytes());
        framer.push(&header);
        assert_eq!(framer.next_packet(), Err(DecodeError::PayloadLength(0xffff_fffc)));
    }
}
