//! Hardware addresses.

use std::fmt::{self, Display, Formatter};

/// The hardware address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Reads six bytes in hexadecimal, with `:`, with `-` or without both, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let pairs: Vec<&[u8]> = match text.len() {
            12 => text.as_bytes().chunks(2).collect(),
            17 if text.contains(':') => text.as_bytes().split(|byte| *byte == b':').collect(),
            17 => text.as_bytes().split(|byte| *byte == b'-').collect(),
            _ => return None,
        };
        let bytes: Option<Vec<u8>> = pairs.into_iter().map(byte).collect();
        bytes?.try_into().ok().map(Self)
    }

    /// The name of its node below `vm-data/networking`: without colons, in capitals. Some agents
    /// look for capitals alone.
    pub fn node_name(&self) -> String {
        self.0.map(|byte| format!("{byte:02X}")).concat()
    }
}

/// With colons, in small letters.
impl Display for Mac {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.map(|byte| format!("{byte:02x}")).join(":"))
    }
}

/// A byte of exactly two digits.
fn byte(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read() {
        let mac = Mac([0x00, 0x16, 0x3e, 0xab, 0xcd, 0xef]);
        for text in ["00:16:3e:ab:cd:ef", "00:16:3E:AB:CD:EF", "00-16-3e-ab-cd-ef", "00163eabcdef"]
        {
            assert_eq!(Mac::parse(text), Some(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "00:16:3e:ab:cd:ef");
        assert_eq!(mac.node_name(), "00163EABCDEF");
        assert_eq!(Mac::parse(&mac.node_name()), Some(mac));
    }

    #[test]
    fn anything_else_is_none() {
        let texts = [
            "",
            "00:16:3e:ab:cd",
            "00:16:3e:ab:cd:ef:01",
            "00:16:3e:ab:cd:+f",
            "00:16:3e:ab:cd:e",
            "00:16:3e:ab:cd-ef",
            "0:016:3e:ab:cd:ef",
            "00163eabcdeg",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        ];
        for text in texts {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
    }
}
