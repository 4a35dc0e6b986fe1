//! Values that libvirt writes otherwise than xend.

use crate::element::Element;
use crate::error::Fault;

/// The memory of an element in MiB, rounded up. libvirt's unit is KiB if it is not given.
pub(crate) fn mebibytes(element: &Element) -> Result<u64, Fault> {
    let unit: u64 = match element.attribute("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1_000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => {
            return Err(fault(element, "the unit is not one of bytes KiB MiB GiB TiB KB MB GB TB"));
        }
    };
    let number: u64 = number(element, element.text.trim())?;
    let bytes =
        number.checked_mul(unit).ok_or_else(|| fault(element, "the number is too large"))?;
    Ok(bytes.div_ceil(1 << 20))
}

/// A decimal number that an element has.
pub(crate) fn number<T: std::str::FromStr>(element: &Element, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| fault(element, "a number is expected"))
}

/// A part of a PCI address: `0x0c`, or `12`.
pub(crate) fn pci_number(address: &Element, attribute: &str) -> Result<u32, Fault> {
    let text = address.attribute(attribute).unwrap_or("0");
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| fault(address, "a part of the address is no number"))
}

/// A UUID as xend writes it; libvirt leaves out its dashes at times.
pub(crate) fn uuid(element: &Element) -> Result<String, Fault> {
    let text = element.text.trim().to_ascii_lowercase();
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    let is_uuid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part));
    match parts.into_iter().collect::<Option<Vec<&str>>>() {
        Some(parts) if is_uuid => Ok(parts.join("-")),
        _ => Err(fault(element, "a UUID is expected")),
    }
}

/// The fault of an element.
pub(crate) fn fault(element: &Element, reason: &str) -> Fault {
    Fault::new(element.offset, format!("{}: {reason}", element.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str, unit: Option<&str>) -> Element {
        let unit = unit.map(|unit| ("unit".to_owned(), unit.to_owned()));
        let mut element = Element::new("memory".to_owned(), 0, unit.into_iter().collect());
        text.clone_into(&mut element.text);
        element
    }

    #[test]
    fn memory_has_units() {
        for (text, unit, wanted) in [
            ("430080", None, 420),
            (" 1025 ", None, 2),
            ("1", Some("b"), 1),
            ("1048577", Some("bytes"), 2),
            ("2", Some("GiB"), 2048),
            ("1", Some("TiB"), 1 << 20),
            ("1000", Some("MB"), 954),
        ] {
            assert_eq!(mebibytes(&element(text, unit)).unwrap(), wanted, "{text} {unit:?}");
        }
        for (text, unit) in [("x", None), ("-1", None), ("1", Some("pages"))] {
            assert!(mebibytes(&element(text, unit)).is_err(), "{text}");
        }
        assert!(mebibytes(&element(&u64::MAX.to_string(), Some("TiB"))).is_err());
    }

    #[test]
    fn a_uuid_has_dashes() {
        let wanted = "596a5d21-71f4-8fb2-e068-e2386a5c413e";
        for text in ["596a5d2171f48fb2e068e2386a5c413e", " 596A5D21-71f4-8fb2-e068-e2386a5c413e"] {
            assert_eq!(uuid(&element(text, None)).unwrap(), wanted);
        }
        assert!(uuid(&element("596a5d21", None)).is_err());
        assert!(uuid(&element(&"\u{e9}".repeat(16), None)).is_err());
    }
}
