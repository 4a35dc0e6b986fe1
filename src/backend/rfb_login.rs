//! The client's side of the handshake of RFB, the protocol of VNC screens (RFC 6143): versions 3.3,
//! 3.7 and 3.8, without a password or with VNC authentication.

use crate::core::model::Password;
use des::Des;
use des::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The length of a version: `RFB 003.008\n`.
const VERSION_LENGTH: usize = 12;

/// The most bytes of a server's reason that are read.
const MAX_REASON: u32 = 1024;

/// The security types of RFC 6143, 7.1.2.
pub(super) const NONE: u8 = 1;
pub(super) const VNC_AUTHENTICATION: u8 = 2;

/// The bytes of a block of DES, and of a key, of which a password has no more.
const BLOCK: usize = 8;

/// The 16 random bytes of VNC authentication.
pub(super) type Challenge = [[u8; BLOCK]; 2];

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    V3_3,
    V3_7,
    V3_8,
}

impl Version {
    /// The version to speak with a server that has sent its highest. Versions that were never
    /// published are 3.3, as the RFC says; those after 3.8 have all of it.
    fn of_server(line: &[u8; VERSION_LENGTH]) -> Option<Self> {
        let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u16>().ok();
        let (b"RFB ", rest) = line.split_at(4) else { return None };
        if rest[3] != b'.' || rest[7] != b'\n' {
            return None;
        }
        Some(match (number(&rest[..3])?, number(&rest[4..7])?) {
            (3, 7) => Self::V3_7,
            (3, 8..) | (4.., _) => Self::V3_8,
            _ => Self::V3_3,
        })
    }

    const fn line(self) -> &'static [u8; VERSION_LENGTH] {
        match self {
            Self::V3_3 => b"RFB 003.003\n",
            Self::V3_7 => b"RFB 003.007\n",
            Self::V3_8 => b"RFB 003.008\n",
        }
    }
}

/// Plays the handshake up to the server's consent. `ClientInit` comes next.
pub(super) async fn log_in(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    password: Option<&Password>,
) -> io::Result<()> {
    let mut line = [0; VERSION_LENGTH];
    stream.read_exact(&mut line).await?;
    let version =
        Version::of_server(&line).ok_or_else(|| invalid("The server is no VNC server"))?;
    stream.write_all(version.line()).await?;
    let security = if version == Version::V3_3 {
        match stream.read_u32().await? {
            0 => return Err(refused(stream).await?),
            decided => u8::try_from(decided).unwrap_or_default(),
        }
    } else {
        let count = stream.read_u8().await?;
        if count == 0 {
            return Err(refused(stream).await?);
        }
        let mut offered = vec![0; count.into()];
        stream.read_exact(&mut offered).await?;
        let chosen = choose(&offered)?;
        stream.write_u8(chosen).await?;
        chosen
    };
    match security {
        NONE if version < Version::V3_8 => return Ok(()),
        NONE => {}
        VNC_AUTHENTICATION => {
            let password = password.ok_or_else(|| {
                invalid("The screen asks for a password, and the domain has none: see vncpasswd")
            })?;
            let mut challenge = Challenge::default();
            stream.read_exact(challenge.as_flattened_mut()).await?;
            stream.write_all(response(password, challenge).as_flattened()).await?;
        }
        _ => return Err(no_security()),
    }
    match stream.read_u32().await? {
        0 => Ok(()),
        _ if version == Version::V3_8 => Err(refused(stream).await?),
        _ => Err(invalid("The screen refuses the password")),
    }
}

/// The security type to use, of those that a server offers.
fn choose(offered: &[u8]) -> io::Result<u8> {
    let known = [NONE, VNC_AUTHENTICATION].into_iter().find(|known| offered.contains(known));
    known.ok_or_else(no_security)
}

fn no_security() -> io::Error {
    invalid("The screen has neither VNC authentication nor none")
}

/// The refusal of a server, whose reason comes next.
async fn refused(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<io::Error> {
    let length = stream.read_u32().await?.min(MAX_REASON);
    let mut reason = Vec::new();
    stream.take(length.into()).read_to_end(&mut reason).await?;
    let reason = String::from_utf8_lossy(&reason);
    let reason = reason.trim().replace(char::is_control, " ");
    Ok(invalid(format!("The screen refuses the login: {reason}")))
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

/// The response to a challenge of VNC authentication: the challenge, encrypted with DES. The key is
/// the password's first 8 bytes, filled with zeros (RFC 6143, 7.2.2), and each byte has its bits in
/// reverse order, which the RFC leaves out.
pub(super) fn response(password: &Password, mut challenge: Challenge) -> Challenge {
    let mut key = [0; BLOCK];
    for (byte, letter) in key.iter_mut().zip(password.reveal().as_slice()) {
        *byte = letter.reverse_bits();
    }
    let cipher = Des::new(&key.into());
    for block in &mut challenge {
        cipher.encrypt_block(block.into());
    }
    challenge
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    const CHALLENGE: Challenge = [*b"01234567", *b"89abcdef"];

    fn password(text: &str) -> Option<Password> {
        Password::new(text.into())
    }

    /// A login at a server that sends these bytes. Returns what the client has sent, too.
    async fn log_in_at(
        server: &[&[u8]],
        password: Option<Password>,
    ) -> (Result<(), String>, Vec<u8>) {
        let (mut client, mut far) = duplex(4096);
        far.write_all(&server.concat()).await.unwrap();
        far.shutdown().await.unwrap();
        let result = log_in(&mut client, password.as_ref()).await;
        drop(client);
        let mut sent = Vec::new();
        far.read_to_end(&mut sent).await.unwrap();
        (result.map_err(|error| error.to_string()), sent)
    }

    #[test]
    fn a_password_is_a_key_of_des_with_reversed_bits() {
        // printf 0123456789abcdef | openssl enc -des-ecb -nopad -K cea6c64ea62e0000 \
        //     -provider legacy -provider default | xxd -p
        for (text, expected) in [
            ("secret", 0x7524_40ee_2bfc_c2a0_d901_3fd2_0371_e23b_u128),
            ("longer than eight", 0xcee6_8ea5_a4c8_f381_afaf_5d76_af68_32fe),
            ("ä", 0x51a8_f1e8_d1ec_25f2_90a6_d938_ea50_58f4),
        ] {
            let encrypted = response(&password(text).unwrap(), CHALLENGE);
            assert_eq!(encrypted.as_flattened(), expected.to_be_bytes(), "{text}");
        }
    }

    #[tokio::test]
    async fn the_client_speaks_the_version_of_the_server() {
        let none = |version: &'static [u8], rest: &'static [u8]| async move {
            let (result, sent) = log_in_at(&[version, rest], None).await;
            result.unwrap();
            String::from_utf8(sent).unwrap()
        };
        assert_eq!(none(b"RFB 003.003\n", &[0, 0, 0, 1]).await, "RFB 003.003\n");
        assert_eq!(none(b"RFB 003.005\n", &[0, 0, 0, 1]).await, "RFB 003.003\n");
        assert_eq!(none(b"RFB 003.007\n", &[2, 2, 1]).await, "RFB 003.007\n\x01");
        for version in [b"RFB 003.008\n", b"RFB 003.889\n", b"RFB 004.001\n"] {
            assert_eq!(none(version, &[1, 1, 0, 0, 0, 0]).await, "RFB 003.008\n\x01");
        }
    }

    #[tokio::test]
    async fn a_password_is_given_where_it_is_asked_for() {
        let challenge = CHALLENGE.as_flattened();
        let answer = response(&password("secret").unwrap(), CHALLENGE);
        let good: &[u8] = &[0, 0, 0, 0];
        for (version, security, choice) in [
            (&b"RFB 003.003\n"[..], &[0, 0, 0, 2][..], &b""[..]),
            (b"RFB 003.007\n", &[1, 2], &[2]),
            (b"RFB 003.008\n", &[2, 16, 2], &[2]),
        ] {
            let server = [version, security, challenge, good];
            let (result, sent) = log_in_at(&server, password("secret")).await;
            result.unwrap();
            assert_eq!(sent, [version, choice, answer.as_flattened()].concat());
            let (result, _) = log_in_at(&server, None).await;
            assert!(result.unwrap_err().contains("vncpasswd"));
        }
        // A screen without a password takes nobody's.
        let open: [&[u8]; 2] = [b"RFB 003.008\n", &[1, 1, 0, 0, 0, 0]];
        let (result, sent) = log_in_at(&open, password("secret")).await;
        assert_eq!((result, &sent[12..]), (Ok(()), &[1][..]));
    }

    #[tokio::test]
    async fn refusals_are_told() {
        let challenge = CHALLENGE.as_flattened();
        let reason: &[u8] = b"\0\0\0\x04full";
        let failed: &[u8] = &[0, 0, 0, 1];
        let long = vec![b'x'; 4096 - 64];
        let cases: [(&[&[u8]], &str); 9] = [
            (&[b"RFB 003.003\n", &[0; 4], reason], "The screen refuses the login: full"),
            (&[b"RFB 003.008\n", &[0], reason], "The screen refuses the login: full"),
            (
                &[b"RFB 003.008\n", &[1, 2], challenge, failed, reason],
                "The screen refuses the login: full",
            ),
            (&[b"RFB 003.007\n", &[1, 2], challenge, failed], "The screen refuses the password"),
            (&[b"RFB 003.003\n", &[0, 0, 1, 2]], "neither VNC authentication nor none"),
            (&[b"RFB 003.008\n", &[2, 16, 19]], "neither VNC authentication nor none"),
            (&[b"HTTP/1.1 400"], "no VNC server"),
            (&[b"RFB 003"], "early eof"),
            (&[b"RFB 003.008\n", &[0], &[255; 4], &long], "xxx"),
        ];
        for (server, expected) in cases {
            let (result, _) = log_in_at(server, password("wrong")).await;
            let error = result.unwrap_err();
            assert!(error.contains(expected) && error.len() < 1100, "{error}");
        }
    }
}
