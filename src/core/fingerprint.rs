//! Fingerprints of certificates.

use super::model::Invalid;
use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a certificate in DER. It is written as `openssl x509 -fingerprint -sha256` prints
/// it: `AB:CD:...`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; Self::LEN]);

impl Fingerprint {
    /// The length in bytes.
    pub const LEN: usize = 32;

    /// The fingerprint with this digest.
    pub const fn new(digest: [u8; Self::LEN]) -> Self {
        Self(digest)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut digest = [0; Self::LEN];
        let mut pairs = text.split(':');
        let is_read = digest.iter_mut().all(|byte| {
            let pair = pairs.next().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
            let read = pair.filter(|pair| pair.len() == 2);
            let read = read.and_then(|pair| u8::from_str_radix(pair, 16).ok());
            read.map(|read| *byte = read).is_some()
        });
        if is_read && pairs.next().is_none() {
            return Ok(Self(digest));
        }
        Err(Invalid::new(
            "A fingerprint is 32 pairs of hexadecimal digits with colons between them",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_printed() {
        let digest: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        let fingerprint = Fingerprint::new(digest);
        let text = fingerprint.to_string();
        assert!(text.starts_with("00:08:10:18:") && text.ends_with(":F0:F8"), "{text}");
        assert_eq!(text.parse::<Fingerprint>().unwrap(), fingerprint);
        assert_eq!(text.to_lowercase().parse::<Fingerprint>().unwrap(), fingerprint);
        for wrong in ["", "00", &text[3..], &format!("{text}:00"), &text.replace(':', "")] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
        assert!(text.replacen("00", "+0", 1).parse::<Fingerprint>().is_err());
    }
}
