//! PCI functions as command lines name them: `0000:03:1a.1`, `05:00.*`, `05:00.0-3,7=4@6`.

use crate::wire::xmlrpc::Value;
use serde::Serialize;

/// The bit of `vdevfn` with which the device model chooses the slot.
const ANY_SLOT: u32 = 0x100;

/// A PCI function of a guest.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Function {
    pub(super) domain: u32,
    pub(super) bus: u32,
    pub(super) slot: u32,
    pub(super) func: u32,
    /// Slot and function in the guest.
    pub(super) vdevfn: u32,
}

impl Function {
    /// Reads a struct, or a list of pairs, of hexadecimal texts.
    pub(super) fn read(value: &Value) -> Self {
        let pair = |item: &Value| match item.items() {
            [key, value] => Some((key.to_text(), value.to_text())),
            _ => None,
        };
        let fields: Vec<(String, String)> = match value {
            Value::Struct(members) => {
                members.iter().map(|(name, value)| (name.clone(), value.to_text())).collect()
            }
            other => other.items().iter().filter_map(pair).collect(),
        };
        let number = |key: &str, missing: u32| {
            let found = fields.iter().find(|(name, _)| name == key);
            found.and_then(|(_, text)| hexadecimal(text)).unwrap_or(missing)
        };
        Self {
            domain: number("domain", 0),
            bus: number("bus", 0),
            slot: number("slot", 0),
            func: number("func", 0),
            vdevfn: number("vdevfn", ANY_SLOT),
        }
    }

    pub(super) fn address(&self) -> String {
        format!("{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.slot, self.func)
    }

    pub(super) fn has_slot(&self) -> bool {
        self.vdevfn & ANY_SLOT == 0
    }
}

/// The functions of one device that a command line names.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) domain: u32,
    pub(super) bus: u32,
    pub(super) slot: u32,
    /// `None` for `*`, all that there are.
    functions: Option<Vec<Numbered>>,
    guest_slot: Option<u32>,
}

/// A function, and the one that it is in the guest.
#[derive(Debug, Clone, Copy)]
struct Numbered {
    physical: u32,
    /// The physical one, unless the command line says another one.
    guest: u32,
    is_given: bool,
}

impl Named {
    /// Reads `[DDDD:]BB:SS.F[@SLOT]`. `F` is a function, `P=V` for one that has another number in
    /// the guest, a range of either, several of these with commas, or `*`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| {
            format!("'{text}' is not a PCI device: 0000:03:1a.1 is one, or 03:1a.0-3, or 03:1a.*")
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (address, guest_slot) = match text.split_once('@') {
            Some((address, slot)) => (address, Some(hexadecimal(slot)?)),
            None => (text, None),
        };
        let (rest, functions) = address.rsplit_once('.')?;
        let mut parts = rest.rsplit(':');
        let slot = hexadecimal(parts.next()?)?;
        let bus = hexadecimal(parts.next()?)?;
        let domain = parts.next().map_or(Some(0), hexadecimal)?;
        let functions = match functions {
            "*" => None,
            list => {
                let ranges = list.split(',').map(range).collect::<Option<Vec<_>>>()?;
                Some(ranges.concat())
            }
        };
        let is_valid = domain <= 0xffff && bus <= 0xff && slot <= 0x1f;
        if !is_valid || parts.next().is_some() || guest_slot.is_some_and(|slot| slot > 0x1f) {
            return None;
        }
        Some(Self { domain, bus, slot, functions, guest_slot })
    }

    /// Whether all functions are meant, whichever there are.
    pub(super) fn is_whole_device(&self) -> bool {
        self.functions.is_none()
    }

    /// Whether a function belongs to the device.
    pub(super) fn has(&self, function: &Function) -> bool {
        (self.domain, self.bus, self.slot) == (function.domain, function.bus, function.slot)
    }

    /// The functions with their places in the guest, function 0 there last: it is the one that
    /// makes the guest look. `all` are those that the device has, for `*`.
    pub(super) fn functions(&self, all: &[u32]) -> Result<Vec<Function>, String> {
        let same =
            |physical: &u32| Numbered { physical: *physical, guest: *physical, is_given: false };
        let mut numbered = match &self.functions {
            Some(functions) => functions.clone(),
            None => all.iter().map(same).collect(),
        };
        let mut seen = (0, 0);
        for Numbered { physical, guest, .. } in &numbered {
            let bits = (1 << physical, 1 << guest);
            if seen.0 & bits.0 != 0 || seen.1 & bits.1 != 0 {
                return Err("a function is named twice".to_owned());
            }
            seen = (seen.0 | bits.0, seen.1 | bits.1);
        }
        if numbered.iter().all(|function| function.guest != 0) {
            let free = numbered.iter_mut().filter(|function| !function.is_given);
            let lowest = free.min_by_key(|function| function.guest);
            lowest.ok_or("no function is function 0 in the guest: one must be, like 3=0")?.guest =
                0;
        }
        numbered.sort_by_key(|function| std::cmp::Reverse(function.guest));
        let place = self.guest_slot.map_or(ANY_SLOT, |slot| slot << 3);
        let function = |Numbered { physical, guest, .. }: Numbered| {
            let Self { domain, bus, slot, .. } = *self;
            Function { domain, bus, slot, func: physical, vdevfn: place | guest }
        };
        Ok(numbered.into_iter().map(function).collect())
    }
}

/// `F`, `P=V`, or a range of either, which may go down.
fn range(text: &str) -> Option<Vec<Numbered>> {
    let Some((from, to)) = text.split_once('-') else { return Some(vec![one(text)?]) };
    let from = one(from)?;
    let to = one(to)?;
    let physical = numbers(from.physical, to.physical);
    let guest = numbers(from.guest, to.guest);
    if physical.len() != guest.len() {
        return None;
    }
    let pairs = physical.into_iter().zip(guest);
    Some(pairs.map(|(physical, guest)| Numbered { physical, guest, is_given: true }).collect())
}

fn numbers(from: u32, to: u32) -> Vec<u32> {
    if from <= to { (from..=to).collect() } else { (to..=from).rev().collect() }
}

fn one(text: &str) -> Option<Numbered> {
    let function = |text: &str| match text.as_bytes() {
        [digit @ b'0'..=b'7'] => Some(u32::from(digit - b'0')),
        _ => None,
    };
    match text.split_once('=') {
        None => function(text).map(|n| Numbered { physical: n, guest: n, is_given: false }),
        Some((physical, guest)) => Some(Numbered {
            physical: function(physical)?,
            guest: function(guest)?,
            is_given: true,
        }),
    }
}

/// Up to four hexadecimal digits.
fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, u32)> {
        let functions = Named::parse(text).and_then(|named| named.functions(&[0, 1, 4])).unwrap();
        functions.iter().map(|f| (f.address(), f.vdevfn)).collect()
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(read("03:1a.1"), [("0000:03:1a.1".to_owned(), 0x100)]);
        assert_eq!(read("0001:03:1a.7@5"), [("0001:03:1a.7".to_owned(), 0x28)]);
        for wrong in [
            "",
            "03",
            "03:1a",
            "03:1a.8",
            "03:20.0",
            "1:2:3:4.0",
            "3:1.0@20",
            "03:1a.",
            "03:1a.0,",
            "03:1a.0-",
            "03:1a.0=8",
            "03:1a.0-1=2",
            "03:1a.**",
            "03:1a.0-3-4",
        ] {
            assert!(Named::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn several_functions_have_places_of_their_own() {
        let places = |text: &str| -> Vec<(u32, u32)> {
            let named = Named::parse(text).unwrap();
            let functions = named.functions(&[0, 1, 4]).unwrap();
            functions.iter().map(|f| (f.func, f.vdevfn)).collect()
        };
        // As xm 4.1.6 gave them out.
        assert_eq!(places("05:00.*"), [(4, 0x104), (1, 0x101), (0, 0x100)]);
        assert_eq!(places("05:00.*@6"), [(4, 0x34), (1, 0x31), (0, 0x30)]);
        assert_eq!(places("05:00.2,3"), [(3, 0x103), (2, 0x100)]);
        assert_eq!(places("05:00.0-2"), [(2, 0x102), (1, 0x101), (0, 0x100)]);
        assert_eq!(places("05:00.3=0-1=2"), [(1, 0x102), (2, 0x101), (3, 0x100)]);
        assert_eq!(places("05:00.7=2,5"), [(7, 0x102), (5, 0x100)]);
        for twice in ["05:00.1,1", "05:00.0=1,1", "05:00.1=1", "05:00.1-2"] {
            assert!(Named::parse(twice).unwrap().functions(&[]).is_err(), "{twice}");
        }
    }
}
