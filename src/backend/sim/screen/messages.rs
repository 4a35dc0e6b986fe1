//! The messages of a client of a screen (RFC 6143, 7.5), read without I/O.

use super::pixels::{FORMAT_LENGTH, PixelFormat, UnknownFormat};
use super::scene::Area;

/// The most encodings that a client may name. All that are registered are fewer.
const MAX_ENCODINGS: usize = 1024;

/// The longest text that a client may have cut, in bytes.
const MAX_CUT_TEXT: usize = 64 << 10;

/// The length of the longest message.
pub(super) const MAX_MESSAGE: usize = MAX_CUT_TEXT + 8;

/// A message of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    SetPixelFormat(PixelFormat),
    /// Asks for the screen: an incremental request is for what changes, and waits for it.
    UpdateRequest {
        is_incremental: bool,
        area: Area,
    },
    Key {
        is_down: bool,
    },
    Pointer {
        buttons: u8,
        x: u16,
        y: u16,
    },
    /// Encodings, of which every client knows the one that is used, or a text that was cut, for
    /// which the guest has no use.
    Ignored,
}

/// Why a client is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("Message {0} is unknown")]
    Unknown(u8),
    #[error("Message {0} is too long")]
    TooLong(u8),
    #[error("{0}")]
    Format(UnknownFormat),
}

/// The first message among the bytes, and its length; `None` if it is not there as a whole. Every
/// message fits in [`MAX_MESSAGE`] bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Message, usize)>, Malformed> {
    let Some(length) = length(bytes)? else { return Ok(None) };
    let Some(message) = bytes.get(..length) else { return Ok(None) };
    let number = |high, low| u16::from_be_bytes([high, low]);
    let message = match *message {
        [0, _, _, _, ref format @ ..] => {
            Message::SetPixelFormat(PixelFormat::decode(format).map_err(Malformed::Format)?)
        }
        [3, incremental, x1, x0, y1, y0, w1, w0, h1, h0] => {
            let x = number(x1, x0);
            let y = number(y1, y0);
            let area = Area { x, y, width: number(w1, w0), height: number(h1, h0) };
            Message::UpdateRequest { is_incremental: incremental != 0, area }
        }
        [4, down, ..] => Message::Key { is_down: down != 0 },
        [5, buttons, x1, x0, y1, y0] => {
            Message::Pointer { buttons, x: number(x1, x0), y: number(y1, y0) }
        }
        _ => Message::Ignored,
    };
    Ok(Some((message, length)))
}

/// The length of the first message; `None` if the bytes do not say it yet.
fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    Ok(Some(match *bytes {
        [0, ..] => 4 + FORMAT_LENGTH,
        [2, _, high, low, ..] => {
            let count = usize::from(u16::from_be_bytes([high, low]));
            if count > MAX_ENCODINGS {
                return Err(Malformed::TooLong(2));
            }
            4 + 4 * count
        }
        [3, ..] => 10,
        [4, ..] => 8,
        [5, ..] => 6,
        [6, _, _, _, b3, b2, b1, b0, ..] => {
            match usize::try_from(u32::from_be_bytes([b3, b2, b1, b0])) {
                Ok(length @ ..=MAX_CUT_TEXT) => 8 + length,
                _ => return Err(Malformed::TooLong(6)),
            }
        }
        [] | [2 | 6, ..] => return Ok(None),
        [unknown, ..] => return Err(Malformed::Unknown(unknown)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn messages_are_read_when_they_are_whole() {
        let own = [&[0, 0, 0, 0][..], &PixelFormat::OWN.encode()].concat();
        let area = Area { x: 1, y: 2, width: 0x140, height: 0xc8 };
        let cases: [(&[u8], Message); 7] = [
            (&own, Message::SetPixelFormat(PixelFormat::OWN)),
            (&[2, 0, 0, 2, 0, 0, 0, 0, 255, 255, 255, 17], Message::Ignored),
            (
                &[3, 1, 0, 1, 0, 2, 1, 0x40, 0, 0xc8],
                Message::UpdateRequest { is_incremental: true, area },
            ),
            (&[4, 1, 0, 0, 0, 0, 0, 97], Message::Key { is_down: true }),
            (&[4, 0, 0, 0, 0, 0, 0, 97], Message::Key { is_down: false }),
            (&[5, 1, 1, 0, 0, 7], Message::Pointer { buttons: 1, x: 256, y: 7 }),
            (b"\x06\0\0\0\0\0\0\x03cut", Message::Ignored),
        ];
        for (bytes, message) in cases {
            for cut in 0..bytes.len() {
                assert_eq!(decode(&bytes[..cut]), Ok(None), "{cut} bytes of {bytes:?}");
            }
            let more = [bytes, &[9]].concat();
            assert_eq!(decode(&more), Ok(Some((message, bytes.len()))));
        }
    }

    #[test]
    fn what_is_unknown_or_too_long_is_told() {
        assert_eq!(decode(&[1]), Err(Malformed::Unknown(1)));
        assert_eq!(decode(&[2, 0, 4, 1]), Err(Malformed::TooLong(2)));
        assert_eq!(decode(&[6, 0, 0, 0, 0, 1, 0, 1]), Err(Malformed::TooLong(6)));
        // The clipboard of later clients has a negative length.
        assert_eq!(decode(&[6, 0, 0, 0, 255, 255, 255, 252]), Err(Malformed::TooLong(6)));
        assert_eq!(decode(&[0; 20]), Err(Malformed::Format(UnknownFormat)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(bytes in vec(any::<u8>(), 0..64)) {
            if let Ok(Some((_, length))) = decode(&bytes) {
                prop_assert!(length > 0 && length <= bytes.len() && length <= MAX_MESSAGE);
            }
        }
    }
}
