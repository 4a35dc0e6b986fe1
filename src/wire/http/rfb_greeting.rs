//! The server's side of the handshake of RFB (RFC 6143, 7.1), without I/O: versions 3.3, 3.7 and
//! 3.8, without a password.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The length of a version.
const VERSION_LENGTH: usize = 12;

/// The highest version.
const GREETING: &[u8; VERSION_LENGTH] = b"RFB 003.008\n";

/// The security type without a password.
const NONE: u8 = 1;

/// How far a handshake is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Nothing is said yet.
    Silent,
    /// The client says its version.
    Version,
    /// The client, whose version may wait for a result, chooses a security type.
    Security { has_result: bool },
    /// `ClientInit` comes next.
    Over,
}

/// A handshake.
#[derive(Debug)]
pub(super) struct Greeting {
    stage: Stage,
    /// The beginning of the client's version.
    version: BytesMut,
}

impl Default for Greeting {
    fn default() -> Self {
        Self { stage: Stage::Silent, version: BytesMut::new() }
    }
}

/// Why a handshake has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoViewer {
    #[error("The client does not speak RFB")]
    Version,
    #[error("The client asks for a security type that was not offered")]
    Security,
}

impl Greeting {
    /// Whether the handshake is over. What the client says next is for the screen.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Takes what the client says, as far as it belongs to the handshake. Returns what to say.
    pub(super) fn answer(&mut self, said: &mut Bytes) -> Result<Bytes, NoViewer> {
        let mut answer = BytesMut::new();
        loop {
            self.stage = match self.stage {
                Stage::Silent => {
                    answer.put_slice(GREETING);
                    Stage::Version
                }
                Stage::Version => {
                    let missing = VERSION_LENGTH - self.version.len();
                    self.version.put(said.split_to(missing.min(said.len())));
                    if self.version.len() < VERSION_LENGTH {
                        break;
                    }
                    match &self.version[..] {
                        b"RFB 003.008\n" => {
                            answer.put_slice(&[1, NONE]);
                            Stage::Security { has_result: true }
                        }
                        b"RFB 003.007\n" => {
                            answer.put_slice(&[1, NONE]);
                            Stage::Security { has_result: false }
                        }
                        // Versions that were never published are 3.3, as the RFC says.
                        version if version.starts_with(b"RFB 003.") => {
                            answer.put_u32(NONE.into());
                            Stage::Over
                        }
                        _ => return Err(NoViewer::Version),
                    }
                }
                Stage::Security { has_result } => {
                    if said.is_empty() {
                        break;
                    }
                    if said.get_u8() != NONE {
                        return Err(NoViewer::Security);
                    }
                    if has_result {
                        answer.put_u32(0);
                    }
                    Stage::Over
                }
                Stage::Over => break,
            };
        }
        Ok(answer.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handshake with a client that says this, in pieces of this many bytes. Returns what the
    /// daemon says after its version, and what is left for the screen.
    fn greet(client: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<u8>), NoViewer> {
        let mut greeting = Greeting::default();
        assert_eq!(greeting.answer(&mut Bytes::new()).unwrap(), &GREETING[..]);
        let mut answer = Vec::new();
        let mut left = Vec::new();
        for piece in client.chunks(piece) {
            let mut said = Bytes::copy_from_slice(piece);
            answer.extend(greeting.answer(&mut said)?);
            assert!(greeting.is_over() || said.is_empty());
            left.extend(said);
        }
        assert!(greeting.is_over());
        Ok((answer, left))
    }

    #[test]
    fn clients_of_all_versions_come_in_without_a_password() {
        for (client, answer) in [
            (&b"RFB 003.003\n\x01left"[..], &[0, 0, 0, 1][..]),
            (b"RFB 003.005\n\x01left", &[0, 0, 0, 1]),
            (b"RFB 003.007\n\x01\x01left", &[1, 1]),
            (b"RFB 003.008\n\x01\x01left", &[1, 1, 0, 0, 0, 0]),
        ] {
            for piece in [1, 2, 5, 100] {
                let (said, left) = greet(client, piece).unwrap();
                assert_eq!(said, answer);
                assert_eq!(left, b"\x01left");
            }
        }
    }

    #[test]
    fn who_speaks_something_else_is_refused() {
        for piece in [1, 100] {
            assert_eq!(greet(b"GET / HTTP/1.1\r\n", piece), Err(NoViewer::Version));
            assert_eq!(greet(b"RFB 004.000\n\x01", piece), Err(NoViewer::Version));
            assert_eq!(greet(b"RFB 003.008\n\x02", piece), Err(NoViewer::Security));
        }
    }
}
