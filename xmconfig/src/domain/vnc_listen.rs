//! xl's `vnclisten`, which may have the number of a display behind the address.

/// Where a VNC server listens.
#[derive(Debug, PartialEq)]
pub(super) struct VncListen<'a> {
    /// `None` leaves it to the host.
    pub(super) address: Option<&'a [u8]>,
    pub(super) display: Option<u16>,
}

impl<'a> VncListen<'a> {
    /// Reads `ADDRESS`, `ADDRESS:DISPLAY`, `[IPV6]`, `[IPV6]:DISPLAY` or `:DISPLAY`. More than one
    /// colon without brackets is an address of IPv6.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, &'static str> {
        let (address, display) = if let [b'[', rest @ ..] = text {
            let end = rest.iter().position(|byte| *byte == b']').ok_or(EXPECTED)?;
            let (address, after) = rest.split_at(end);
            (address, after.get(1..).filter(|after| !after.is_empty()))
        } else {
            let mut colons = text.iter().enumerate().filter(|(_, byte)| **byte == b':');
            let (Some((at, _)), None) = (colons.next(), colons.next()) else {
                return Ok(Self { address: Some(text), display: None });
            };
            let (address, display) = text.split_at(at);
            (address, Some(display))
        };
        let display = display.map(|display| number(display).ok_or(EXPECTED)).transpose()?;
        Ok(Self { address: Some(address).filter(|address| !address.is_empty()), display })
    }

    /// The display, unless `vncdisplay` names another one.
    pub(super) fn display_beside(
        &self,
        vncdisplay: Option<&[u8]>,
    ) -> Result<Option<u16>, &'static str> {
        let Some(display) = self.display else { return Ok(None) };
        match vncdisplay {
            None => Ok(Some(display)),
            Some(other) if digits(other) == Some(display) => Ok(None),
            Some(_) => Err("its display is another one than that of vncdisplay: leave one out"),
        }
    }
}

const EXPECTED: &str = "ADDRESS, ADDRESS:DISPLAY or [IPV6]:DISPLAY is expected";

/// `:5`
fn number(text: &[u8]) -> Option<u16> {
    text.strip_prefix(b":").and_then(digits)
}

fn digits(text: &[u8]) -> Option<u16> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_display() {
        for (text, address, display) in [
            ("", Some(""), None),
            ("127.0.0.1", Some("127.0.0.1"), None),
            ("127.0.0.1:5", Some("127.0.0.1"), Some(5)),
            ("localhost:05", Some("localhost"), Some(5)),
            (":5", None, Some(5)),
            ("::1", Some("::1"), None),
            ("fe80::1:5", Some("fe80::1:5"), None),
            ("[::1]", Some("::1"), None),
            ("[::1]:5", Some("::1"), Some(5)),
        ] {
            let address = address.map(str::as_bytes);
            assert_eq!(
                VncListen::read(text.as_bytes()),
                Ok(VncListen { address, display }),
                "{text}"
            );
        }
        for text in ["127.0.0.1:", "a:x", "a:99999", "a:+5", "[::1", "[::1]5", "[::1]:", ":"] {
            assert_eq!(VncListen::read(text.as_bytes()), Err(EXPECTED), "{text}");
        }
    }

    #[test]
    fn two_displays_must_be_the_same() {
        let beside = |display: Option<&str>| {
            VncListen::read(b"a:5").unwrap().display_beside(display.map(str::as_bytes))
        };
        assert_eq!((beside(None), beside(Some("5"))), (Ok(Some(5)), Ok(None)));
        assert!(beside(Some("6")).unwrap_err().contains("vncdisplay"));
        assert!(beside(Some("x")).is_err());
        assert_eq!(VncListen::read(b"a").unwrap().display_beside(Some(b"x")), Ok(None));
    }
}
