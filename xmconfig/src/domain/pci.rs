//! PCI functions: `0000:01:00.0`, `03:1d.0-3@5,msitranslate=0`.

use super::settings::{Item, Settings};
use super::tree;
use crate::error::Fault;
use std::str;
use xend_sxp::Sxp;

/// A function that is passed through to the guest, in xend's words.
pub(super) struct PciFunction {
    domain: String,
    bus: String,
    slot: String,
    function: String,
    vdevfn: String,
    /// Names and values.
    options: Vec<(String, String)>,
    /// What the file calls it.
    key: String,
    offset: u32,
}

/// Where the guest sees a function whose place the file leaves open.
const ANY_SLOT: u32 = 0x100;

/// Options of xm and, from `permissive` on, of xl.
const OPTIONS: [&str; 5] = ["msitranslate", "power_mgmt", "permissive", "seize", "rdm_policy"];

/// The functions of `pci`.
pub(super) fn functions(settings: &Settings<'_>) -> Result<Vec<PciFunction>, Fault> {
    let mut functions = Vec::new();
    for item in settings.items("pci")? {
        let text = str::from_utf8(item.text).unwrap_or_default();
        let read = read(text.trim().strip_prefix("bdf=").unwrap_or(text.trim()), &item);
        functions.extend(read.map_err(|reason| item.fault(reason))?);
    }
    Ok(functions)
}

/// The device that has all functions.
pub(super) fn device(functions: &[PciFunction], devices: &mut Vec<Sxp>) {
    if let Some(first) = functions.first() {
        devices.push(tree::device("pci", functions.iter().map(PciFunction::dev), first.offset));
    }
}

/// The functions in an image of an HVM guest, where xm repeated them without the names.
pub(super) fn image_field(functions: &[PciFunction]) -> Sxp {
    Sxp::list(["pci".into(), functions.iter().map(PciFunction::tuple).collect()])
}

impl PciFunction {
    fn dev(&self) -> Sxp {
        let fields = [
            ("slot", &self.slot),
            ("domain", &self.domain),
            ("key", &self.key),
            ("bus", &self.bus),
            ("vdevfn", &self.vdevfn),
            ("func", &self.function),
        ];
        let fields = fields.map(|(key, text)| tree::text_field(key, text, self.offset));
        let options = self.options().map(|option| Sxp::list(["opts".into(), option]));
        tree::list(["dev".into()].into_iter().chain(fields).chain(options), self.offset)
    }

    fn tuple(&self) -> Sxp {
        let Self { domain, bus, slot, function, vdevfn, .. } = self;
        let words = [domain, bus, slot, function, vdevfn].map(Sxp::atom);
        words.into_iter().chain([self.options().collect(), Sxp::atom(&self.key)]).collect()
    }

    fn options(&self) -> impl Iterator<Item = Sxp> {
        self.options.iter().map(|(name, value)| Sxp::list([Sxp::atom(name), Sxp::atom(value)]))
    }
}

/// A function of the device and the function of the guest's device that it becomes.
struct Mapping {
    physical: u32,
    of_guest: u32,
    /// Whether the file leaves the second open.
    is_automatic: bool,
}

fn read(text: &str, item: &Item<'_>) -> Result<Vec<PciFunction>, String> {
    const FORM: &str = "a function like 0000:01:00.0 is expected";
    let (address, rest) = text.split_once('.').ok_or(FORM)?;
    let mut parts = address.rsplit(':');
    let slot = hexadecimal(parts.next(), 2).ok_or(FORM)?;
    let bus = hexadecimal(parts.next(), 2).ok_or(FORM)?;
    let domain = match parts.next() {
        None => 0,
        part => hexadecimal(part, 4).ok_or(FORM)?,
    };
    if parts.next().is_some() {
        return Err(FORM.to_owned());
    }
    // Functions and options are both separated by commas.
    let in_functions = |byte: &u8| matches!(byte, b'0'..=b'7' | b',' | b'-' | b'=' | b'*');
    let length = rest.bytes().take_while(|byte| in_functions(byte)).count();
    let (functions, rest) = rest.split_at(length);
    let mappings = mappings(functions.trim_end_matches(','))?;
    let (place, options) = match rest.strip_prefix('@') {
        Some(rest) => rest.split_once(',').unwrap_or((rest, "")),
        None => ("", rest),
    };
    let guest_slot = match place {
        "" => None,
        place => Some(hexadecimal(Some(place), 2).filter(|slot| *slot < 32).ok_or(FORM)?),
    };
    let options = read_options(options)?;
    let function = |mapping: Mapping| PciFunction {
        domain: format!("0x{domain:04x}"),
        bus: format!("0x{bus:02x}"),
        slot: format!("0x{slot:02x}"),
        function: format!("0x{:x}", mapping.physical),
        vdevfn: format!(
            "0x{:02x}",
            guest_slot.map_or(ANY_SLOT, |slot| slot << 3) | mapping.of_guest
        ),
        options: options.clone(),
        key: text.split(',').next().unwrap_or_default().to_owned(),
        offset: item.offset,
    };
    Ok(mappings.into_iter().map(function).collect())
}

/// Reads `0`, `0-3`, `0,2`, `0=1`. The guest's function 0 comes last, since it announces the
/// others.
fn mappings(text: &str) -> Result<Vec<Mapping>, String> {
    if text.contains('*') {
        return Err("* is not supported, list the functions, like 0-3".to_owned());
    }
    let mut mappings = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => mappings.push(mapping(part)?),
            Some((first, last)) => mappings.extend(range(&mapping(first)?, &mapping(last)?)?),
        }
    }
    for (n, one) in mappings.iter().enumerate() {
        let mut others = mappings.iter().take(n);
        if others.any(|o| o.physical == one.physical || o.of_guest == one.of_guest) {
            return Err("a function is given twice".to_owned());
        }
    }
    if !mappings.iter().any(|mapping| mapping.of_guest == 0) {
        let automatic = mappings.iter_mut().filter(|mapping| mapping.is_automatic);
        let first = automatic.min_by_key(|mapping| mapping.of_guest);
        first.ok_or("the guest's device has no function 0")?.of_guest = 0;
    }
    mappings.sort_by_key(|mapping| std::cmp::Reverse(mapping.of_guest));
    Ok(mappings)
}

fn mapping(text: &str) -> Result<Mapping, String> {
    let digit = |text: &str| match text.as_bytes() {
        [digit @ b'0'..=b'7'] => Ok(u32::from(digit - b'0')),
        _ => Err("a function is not a number from 0 to 7".to_owned()),
    };
    match text.split_once('=') {
        None => {
            let function = digit(text)?;
            Ok(Mapping { physical: function, of_guest: function, is_automatic: true })
        }
        Some((physical, of_guest)) => Ok(Mapping {
            physical: digit(physical)?,
            of_guest: digit(of_guest)?,
            is_automatic: false,
        }),
    }
}

/// A range, which may run backwards.
fn range(first: &Mapping, last: &Mapping) -> Result<Vec<Mapping>, String> {
    let numbers = |first: u32, last: u32| -> Vec<u32> {
        if first <= last { (first..=last).collect() } else { (last..=first).rev().collect() }
    };
    let physical = numbers(first.physical, last.physical);
    let of_guest = numbers(first.of_guest, last.of_guest);
    if physical.len() != of_guest.len() {
        return Err("both sides of a range of functions must be equally long".to_owned());
    }
    let pairs = physical.into_iter().zip(of_guest);
    let mapping = |(physical, of_guest)| Mapping { physical, of_guest, is_automatic: false };
    Ok(pairs.map(mapping).collect())
}

/// Reads `msitranslate=0,permissive`.
fn read_options(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut options = Vec::new();
    for option in text.split(',').map(str::trim).filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, "1"));
        if !OPTIONS.contains(&name) {
            return Err(format!("an option is not one of {}", OPTIONS.join(" ")));
        }
        let is_switch = matches!(value.to_ascii_lowercase().as_str(), "0" | "1" | "yes" | "no");
        if !is_switch && name != "rdm_policy" {
            return Err(format!("{name} is neither 0 nor 1"));
        }
        options.push((name.to_owned(), value.to_owned()));
    }
    Ok(options)
}

fn hexadecimal(text: Option<&str>, most: usize) -> Option<u32> {
    let digits = text.filter(|text| (1..=most).contains(&text.len()))?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let item = Item { variable: "pci", text: text.as_bytes(), offset: 0 };
        match read(text, &item) {
            Ok(functions) => {
                let words = functions.iter().map(|f| {
                    let options: Vec<_> = f.options().map(|option| option.to_string()).collect();
                    let address = format!("{}:{}:{}.{}", f.domain, f.bus, f.slot, f.function);
                    format!("{address} {} {}{}", f.vdevfn, f.key, options.concat())
                });
                words.collect::<Vec<_>>().join("; ")
            }
            Err(reason) => reason,
        }
    }

    #[test]
    fn functions_are_read_as_by_xm() {
        for (text, wanted) in [
            ("0000:01:00.0", "0x0000:0x01:0x00.0x0 0x100 0000:01:00.0"),
            ("03:1d.2,msitranslate=0", "0x0000:0x03:0x1d.0x2 0x100 03:1d.2(msitranslate 0)"),
            ("1:2:3.0@5,permissive", "0x0001:0x02:0x03.0x0 0x28 1:2:3.0@5(permissive 1)"),
            (
                "01:00.0-1",
                "0x0000:0x01:0x00.0x1 0x101 01:00.0-1; 0x0000:0x01:0x00.0x0 0x100 01:00.0-1",
            ),
            (
                "01:00.1,3,power_mgmt=1",
                "0x0000:0x01:0x00.0x3 0x103 01:00.1(power_mgmt 1); \
                 0x0000:0x01:0x00.0x1 0x100 01:00.1(power_mgmt 1)",
            ),
            (
                "01:00.2=0,5=1",
                "0x0000:0x01:0x00.0x5 0x101 01:00.2=0; 0x0000:0x01:0x00.0x2 0x100 01:00.2=0",
            ),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn wrong_functions_are_refused() {
        for (text, wanted) in [
            ("", "a function like 0000:01:00.0 is expected"),
            ("01:00", "a function like 0000:01:00.0 is expected"),
            ("00.0", "a function like 0000:01:00.0 is expected"),
            ("x:01.0", "a function like 0000:01:00.0 is expected"),
            ("0:0:0:0.0", "a function like 0000:01:00.0 is expected"),
            ("+1:01.0", "a function like 0000:01:00.0 is expected"),
            ("01:00.0@40", "a function like 0000:01:00.0 is expected"),
            ("01:00.8", "a function is not a number from 0 to 7"),
            ("01:00.*", "* is not supported, list the functions, like 0-3"),
            ("01:00.1,1", "a function is given twice"),
            ("01:00.1=1", "the guest's device has no function 0"),
            ("01:00.0-1=2", "both sides of a range of functions must be equally long"),
            ("01:00.0,colour=1", "an option is not one of"),
            ("01:00.0,seize=2", "seize is neither 0 nor 1"),
        ] {
            assert!(shown(text).starts_with(wanted), "{text}: {}", shown(text));
        }
    }
}
