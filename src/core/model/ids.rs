//! Identifiers of domains and devices.

use super::invalid::Invalid;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use uuid::Uuid;

/// A domain's number on its host. Numbers grow, and are not reused until the host reboots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomId(pub u32);

impl DomId {
    /// Domain-0, the control domain.
    pub const ZERO: DomId = DomId(0);
}

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A domain's name. A name that a caller chooses has letters, digits and `_ - . : +`, as in xend
/// 4.1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomName(Arc<str>);

impl DomName {
    /// Domain-0's, unless it was renamed. No other domain may have it even then.
    pub const DOMAIN_0: &str = "Domain-0";

    /// The longest name in bytes. Names become path segments and XenStore values.
    pub const MAX_LEN: usize = 255;

    /// A name that a caller chooses.
    pub fn new(name: &str) -> Result<Self, Invalid> {
        let name = Self(name.into());
        name.check()?;
        Ok(name)
    }

    /// Refuses a name that no caller may choose. A name from a saved or received configuration has
    /// not been checked yet.
    pub fn check(&self) -> Result<(), Invalid> {
        let name = self.as_str();
        if name.trim().is_empty() {
            return Err(Invalid::new("Missing VM Name"));
        }
        if name.len() > Self::MAX_LEN {
            return Err(Invalid::new(format!(
                "Invalid VM Name: longer than {} bytes",
                Self::MAX_LEN
            )));
        }
        // Browsers and most libraries never request a path that ends in one of these.
        if matches!(name, "." | "..") {
            return Err(Invalid::new(format!(
                "Invalid VM Name: {name:?} means a directory in a path"
            )));
        }
        // libvirt does not encode names in paths: a slash would make two segments of one.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:+".contains(c);
        match name.chars().find(|c| !allowed(*c)) {
            Some(bad) => Err(Invalid::new(format!(
                "Invalid VM Name: {bad:?} is not allowed, use letters, digits and _ - . : +"
            ))),
            None => Ok(()),
        }
    }

    /// A name that another toolstack gave to a running domain. It is shown unchanged and unchecked.
    pub fn adopted(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for DomName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Reads a UUID with or without dashes, in upper or lower case, as in xend's paths and
/// configurations.
pub fn parse_uuid(text: &str) -> Result<Uuid, Invalid> {
    match text.len() {
        32 | 36 => Uuid::try_parse(text).ok(),
        _ => None,
    }
    .ok_or_else(|| Invalid::new(format!("{text:?} is not a UUID")))
}

/// A caller's reference to a domain: looked up as a name, then as a domid, then as a UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRef(String);

impl DomainRef {
    /// Accepts any text; the lookup tells whether it refers to a domain.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text that the caller sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domid, if the text consists of digits.
    pub fn domid(&self) -> Option<DomId> {
        let digits = !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| self.0.parse().ok().map(DomId)).flatten()
    }

    /// The UUID, if the text is one.
    pub fn uuid(&self) -> Option<Uuid> {
        parse_uuid(&self.0).ok()
    }
}

impl fmt::Display for DomainRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// An address in Xen's range `00:16:3e` with three bytes of `random`. The top bit of the fourth
    /// byte is clear, as in xend's generator.
    pub fn in_xen_range(random: [u8; 3]) -> Self {
        Self([0x00, 0x16, 0x3e, random[0] & 0x7f, random[1], random[2]])
    }

    /// The six bytes.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for Mac {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad = || Invalid::new(format!("{text:?} is not a MAC address like 00:16:3e:01:02:03"));
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|p| matches!(p.len(), 1 | 2)).ok_or_else(bad)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() { Err(bad()) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if n == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// The number of a virtual block device in the guest's XenStore: 51712 is `xvda`, 2049 is `sda1`.
///
/// The scheme is Linux's `MAJOR << 8 | MINOR`; beyond the sixteenth `xvd` disk it is Xen's extended
/// scheme, `1 << 28 | disk << 8 | partition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualDevice(pub u32);

impl VirtualDevice {
    /// The majors of `sd` disks, with sixteen disks each.
    const SCSI: [u32; 8] = [8, 65, 66, 67, 68, 69, 70, 71];
    /// The majors of `hd` disks, with two disks each.
    const IDE: [u32; 10] = [3, 22, 33, 34, 56, 57, 88, 89, 90, 91];

    /// Reads a device name (`xvda`, `sda1`, `hdc`, with or without `/dev/`) or a number (`51712`,
    /// `0xca00`).
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bad = || {
            Invalid::new(format!("{text:?} is not a block device like xvda, sda1, hdc or 51712"))
        };
        let name = text.strip_prefix("/dev/").unwrap_or(text);
        if let Some(hex) = name.strip_prefix("0x") {
            return u32::from_str_radix(hex, 16).map(Self).map_err(|_| bad());
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return name.parse().map(Self).map_err(|_| bad());
        }
        let family = name.get(..if name.starts_with("xvd") { 3 } else { 2 }).ok_or_else(bad)?;
        let rest = &name[family.len()..];
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let disk = disk_index(&rest[..letters]).ok_or_else(bad)?;
        let partition: u32 = match &rest[letters..] {
            "" => 0,
            digits if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') => {
                digits.parse().map_err(|_| bad())?
            }
            _ => return Err(bad()),
        };
        let index = usize::try_from(disk).map_err(|_| bad())?;
        match family {
            "sd" if partition < 16 => {
                Self::SCSI.get(index / 16).map(|major| major << 8 | (disk % 16) << 4 | partition)
            }
            "hd" if partition < 64 => {
                Self::IDE.get(index / 2).map(|major| major << 8 | (disk % 2) << 6 | partition)
            }
            "xvd" if partition < 16 && disk < 16 => Some(202 << 8 | disk << 4 | partition),
            "xvd" if partition < 256 && disk < 1 << 20 => Some(1 << 28 | disk << 8 | partition),
            _ => None,
        }
        .map(Self)
        .ok_or_else(bad)
    }

    /// Whether the number is in Xen's extended scheme, in which nobody recognises a disk.
    pub const fn is_extended(self) -> bool {
        self.0 >> 28 == 1
    }

    /// The name that has this number: `xvda` for 51712; `None` for a number that is no disk's.
    pub fn name(self) -> Option<String> {
        let major = self.0 >> 8;
        let minor = self.0 & 0xff;
        let position = |majors: &[u32]| {
            let at = majors.iter().position(|known| *known == major)?;
            u32::try_from(at).ok()
        };
        let (family, disk, partition) = if self.is_extended() {
            ("xvd", major & 0xf_ffff, minor)
        } else if major == 202 {
            ("xvd", minor >> 4, minor & 15)
        } else if let Some(at) = position(&Self::SCSI) {
            ("sd", at * 16 + (minor >> 4), minor & 15)
        } else if let Some(at) = position(&Self::IDE) {
            ("hd", at * 2 + (minor >> 6), minor & 63)
        } else {
            return None;
        };
        let partition = if partition == 0 { String::new() } else { partition.to_string() };
        Some(format!("{family}{}{partition}", disk_letters(disk)))
    }

    /// The name with the number, for messages: `xvda (51712)`.
    pub fn described(self) -> String {
        self.name().map_or_else(|| self.to_string(), |name| format!("{name} ({self})"))
    }
}

impl fmt::Display for VirtualDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The index of a disk by its letters: `a` is 0, `z` is 25, `aa` is 26.
fn disk_index(letters: &str) -> Option<u32> {
    if letters.is_empty() || letters.len() > 4 {
        return None;
    }
    letters
        .bytes()
        .try_fold(0_u32, |n, b| n.checked_mul(26)?.checked_add(u32::from(b - b'a') + 1))
        .map(|n| n - 1)
}

/// The letters of a disk by its index, the inverse of [`disk_index`].
fn disk_letters(index: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = index + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b"abcdefghijklmnopqrstuvwxyz"[rest as usize % 26]));
        rest /= 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_xend() {
        for good in ["pv1", "Domain-0", "a.b:c+d+e_f"] {
            assert_eq!(DomName::new(good).unwrap().as_str(), good);
        }
        assert_eq!(DomName::new(" ").unwrap_err().to_string(), "Missing VM Name");
        assert_eq!(
            DomName::new("a/b").unwrap_err().to_string(),
            "Invalid VM Name: '/' is not allowed, use letters, digits and _ - . : +"
        );
        assert_eq!(DomName::adopted("a/b").as_str(), "a/b");
        assert!(DomName::new("a b").unwrap_err().to_string().starts_with("Invalid VM Name"));
        assert!(DomName::new(&"x".repeat(256)).is_err());
        assert!(
            DomName::new(".").is_err()
                && DomName::new("..").is_err()
                && DomName::new("...").is_ok()
        );
    }

    #[test]
    fn a_domid_consists_of_digits() {
        assert_eq!(DomainRef::new("17").domid(), Some(DomId(17)));
        for not in ["", "+1", " 1 ", "1x", "99999999999"] {
            assert_eq!(DomainRef::new(not).domid(), None, "{not:?}");
        }
    }

    #[test]
    fn uuids_are_read_with_and_without_dashes() {
        let plain = parse_uuid("596A5D2171F48FB2E068E2386A5C413E").unwrap();
        assert_eq!(plain, parse_uuid("596a5d21-71f4-8fb2-e068-e2386a5c413e").unwrap());
        assert!(parse_uuid("zzz").is_err());
        assert!(parse_uuid("{596a5d21-71f4-8fb2-e068-e2386a5c413e}").is_err());
    }

    #[test]
    fn block_device_names_map_to_linux_numbers() {
        for (name, number) in [
            ("sda1", 2049),
            ("sdb", 2064),
            ("sdq", 16640),
            ("hda", 768),
            ("hdb", 832),
            ("hdc", 5632),
            ("xvda", 51712),
            ("xvdb", 51728),
            ("xvdp15", 51967),
            ("xvdq", 1 << 28 | 16 << 8),
            ("/dev/xvda1", 51713),
            ("51712", 51712),
            ("0xca00", 51712),
        ] {
            assert_eq!(VirtualDevice::parse(name).unwrap(), VirtualDevice(number), "{name}");
        }
        for name in [
            "xvda", "xvdp15", "xvdq", "xvdz", "xvdaa1", "sda1", "sdb", "sdq", "sddx", "hda", "hdb",
            "hdc7", "hdt",
        ] {
            let number = VirtualDevice::parse(name).unwrap();
            assert_eq!(number.name().as_deref(), Some(name), "{number}");
        }
        assert_eq!(VirtualDevice(268_441_856).described(), "xvdz (268441856)");
        assert_eq!(VirtualDevice(7).described(), "7");
        assert_eq!(VirtualDevice(u32::MAX).name(), None);
        for bad in ["", "x", "sd", "sda16", "sdA", "hdu", "fda", "xvda01", "xvdaaaaaa", "é"] {
            assert!(VirtualDevice::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mac_addresses_are_read_and_printed() {
        assert_eq!("0:16:3E:1:2:3".parse::<Mac>().unwrap().to_string(), "00:16:3e:01:02:03");
        assert_eq!(Mac::in_xen_range([0xff, 1, 2]).to_string(), "00:16:3e:7f:01:02");
        for bad in
            ["", "00:16:3e:01:02", "00:16:3e:01:02:03:04", "00:16:3e:01:zz:z", "00:16:3e:01:02:003"]
        {
            assert!(bad.parse::<Mac>().is_err(), "{bad:?}");
        }
    }
}
