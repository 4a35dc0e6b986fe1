//! The domain.

use crate::devices::{consoles, interfaces, pci_functions};
use crate::disk::disks;
use crate::document;
use crate::element::Element;
use crate::error::{Fault, XmlError};
use crate::image::image;
use crate::kind::Kind;
use crate::screens::screens;
use crate::tree;
use crate::values::{fault, mebibytes, number, uuid};
use xend_sxp::Sxp;

/// The most virtual processors: xend's mask of those online has so many bits.
const MAX_VCPUS: u32 = u128::BITS;

/// What libvirt does on an event if the file does not say.
const ACTIONS: [(&str, &str); 3] =
    [("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")];

/// A domain as an S-expression. It has no `Debug`: the configuration can contain passwords.
pub struct Conversion {
    /// `(vm ...)`. The offset of an expression is that of the element that it was made from.
    pub config: Sxp,
    /// Elements without a place in the S-expression, in the order of the file.
    pub warnings: Vec<XmlError>,
}

/// Converts libvirt's XML of a domain, without checking the values that xend checks.
pub fn convert(text: &[u8]) -> Result<Conversion, XmlError> {
    let error = |fault| XmlError::new(fault, text);
    let root = document::read(text).map_err(error)?;
    let mut warnings = Vec::new();
    let config = domain(&root, &mut warnings).map_err(error)?;
    root.unread(&mut warnings);
    warnings.sort_by_key(|warning| warning.offset);
    Ok(Conversion { config, warnings: warnings.into_iter().map(error).collect() })
}

fn domain(root: &Element, warnings: &mut Vec<Fault>) -> Result<Sxp, Fault> {
    if root.name != "domain" {
        return Err(Fault::new(root.offset, "<domain> is expected"));
    }
    if let Some(kind) = root.attribute("type").filter(|kind| !matches!(*kind, "xen" | "linux")) {
        let kind: String = kind.chars().take(20).collect();
        warnings.push(Fault::new(root.offset, format!("the domain is for {kind}, not for Xen")));
    }
    let mut fields = vec!["vm".into()];
    text_field(root, "name", &mut fields);
    memory(root, &mut fields)?;
    vcpus(root, &mut fields)?;
    if let Some(element) = root.child("uuid") {
        fields.push(tree::field("uuid", uuid(element)?, element.offset));
    }
    for key in ["description", "bootloader", "bootloader_args"] {
        text_field(root, key, &mut fields);
    }
    for (key, default) in ACTIONS {
        let element = root.child(key);
        let action = element.map_or(default, |element| element.text.trim());
        let offset = element.map_or(root.offset, |element| element.offset);
        fields.push(tree::field(key, action, offset));
    }
    let kind = Kind::of(root)?;
    fields.push(image(root, kind, warnings)?);
    let is_local = root
        .child("clock")
        .is_some_and(|clock| clock.is("offset", "localtime") || clock.is("basis", "localtime"));
    fields.push(tree::field("localtime", if is_local { "1" } else { "0" }, root.offset));
    if let Some(devices) = root.child("devices") {
        disks(devices, kind, &mut fields, warnings)?;
        interfaces(devices, kind, &mut fields, warnings)?;
        pci_functions(devices, &mut fields, warnings)?;
        if kind != Kind::Hvm {
            screens(devices, &mut fields, warnings)?;
        }
        consoles(devices);
    }
    Ok(tree::list(fields, root.offset))
}

/// Adds an element whose name and text xend has, too.
fn text_field(root: &Element, name: &str, fields: &mut Vec<Sxp>) {
    if let Some(element) = root.child(name) {
        fields.push(tree::field(name, element.text.trim(), element.offset));
    }
}

/// libvirt's `memory` is the most that a domain may have.
fn memory(root: &Element, fields: &mut Vec<Sxp>) -> Result<(), Fault> {
    let most = root.child("memory");
    let current = root.child("currentMemory");
    for (key, element) in [("memory", current.or(most)), ("maxmem", most.or(current))] {
        let element = element.ok_or_else(|| Fault::new(root.offset, "<memory> is expected"))?;
        fields.push(tree::field(key, mebibytes(element)?.to_string(), element.offset));
    }
    Ok(())
}

fn vcpus(root: &Element, fields: &mut Vec<Sxp>) -> Result<(), Fault> {
    let Some(element) = root.child("vcpu") else { return Ok(()) };
    let most: u32 = number(element, element.text.trim())?;
    let online = match element.attribute("current") {
        Some(current) => number(element, current)?,
        None => most,
    };
    if !(1..=MAX_VCPUS).contains(&most) || !(1..=most).contains(&online) {
        return Err(fault(element, &format!("1 to {MAX_VCPUS} are possible")));
    }
    fields.push(tree::field("vcpus", most.to_string(), element.offset));
    if online < most {
        let mask = u128::MAX >> (MAX_VCPUS - online);
        fields.push(tree::field("vcpu_avail", mask.to_string(), element.offset));
    }
    if let Some(cpus) = element.attribute("cpuset") {
        fields.push(tree::field("cpus", cpus, element.offset));
    }
    Ok(())
}
