//! The page on which a domain is created, and the one that asks before data is lost.

use super::{crumbs, forms, page_of};
use crate::core::snapshot::DomainView;
use crate::wire::http::operations::Operation;
use crate::wire::http::request::Place;
use xend_templates::{ConfirmPage, CreatePage, Failure, Link, Position};

/// What `?template=` can be.
pub(in crate::wire::http) const TEMPLATE_KEYS: [&str; 3] =
    [TEMPLATES[0].0, TEMPLATES[1].0, TEMPLATES[2].0];

/// Configurations to begin with.
const TEMPLATES: [(&str, &str, &str); 3] = [
    (
        "pv",
        "Paravirtual (PV)",
        "(vm
  (name pv1)
  (memory 512)
  (vcpus 1)
  (image (linux
    (kernel /boot/vmlinuz)
    (ramdisk /boot/initrd.img)
    (args 'root=/dev/xvda1 ro console=hvc0')))
  (device (vbd (uname phy:/dev/vg0/pv1) (dev xvda) (mode w)))
  (device (vif (bridge xenbr0)))
  (on_poweroff destroy) (on_reboot restart) (on_crash restart))
",
    ),
    (
        "pvh",
        "Hardware container (PVH)",
        "(vm
  (name pvh1)
  (memory 1024)
  (vcpus 2)
  (image (pvh
    (kernel /boot/vmlinuz)
    (ramdisk /boot/initrd.img)
    (args 'root=/dev/xvda1 ro console=hvc0')))
  (device (vbd (uname phy:/dev/vg0/pvh1) (dev xvda) (mode w)))
  (device (vif (bridge xenbr0)))
  (on_poweroff destroy) (on_reboot restart) (on_crash restart))
",
    ),
    (
        "hvm",
        "Emulated machine (HVM)",
        "(vm
  (name hvm1)
  (memory 2048)
  (vcpus 2)
  (image (hvm
    (loader /usr/lib/xen/boot/hvmloader)
    (boot cd)
    (vnc 1)
    (vnclisten 127.0.0.1)))
  (device (vbd (uname phy:/dev/vg0/hvm1) (dev hda) (mode w)))
  (device (vbd (uname file:/images/install.iso) (dev hdc:cdrom) (mode r)))
  (device (vif (type ioemu) (bridge xenbr0)))
  (on_poweroff destroy) (on_reboot restart) (on_crash restart))
",
    ),
];

/// An empty page, or one that begins with a template.
pub(in crate::wire::http) fn new(place: &Place, template: Option<&str>) -> String {
    let text =
        TEMPLATES.iter().find(|(key, ..)| Some(*key) == template).map_or("", |(_, _, text)| text);
    page(place, text.to_owned(), None)
}

/// What was sent, and why nothing came of it.
pub(in crate::wire::http) fn failed(
    place: &Place,
    text: &[u8],
    message: &str,
    hint: &str,
    at: Option<(usize, usize)>,
) -> String {
    let at = at.map(|(line, column)| Position { line, column });
    let failure = Failure { message: message.to_owned(), hint: hint.to_owned(), at };
    page(place, String::from_utf8_lossy(text).into_owned(), Some(failure))
}

fn page(place: &Place, text: String, failure: Option<Failure>) -> String {
    let link =
        |(key, name, _): &(&str, &str, &str)| Link::new(*name, format!("/xend/new?template={key}"));
    CreatePage {
        crumbs: crumbs(place),
        href: "/xend/domain".to_owned(),
        templates: TEMPLATES.iter().map(link).collect(),
        text,
        failure,
    }
    .render()
}

/// Asks whether something is to be done that can lose data.
pub(in crate::wire::http) fn confirm(
    place: &Place,
    view: &DomainView,
    operation: &Operation,
    loses: &str,
) -> String {
    ConfirmPage {
        crumbs: crumbs(place),
        domain: page_of(view),
        operation: forms::form(operation, view, None),
        loses: loses.to_owned(),
    }
    .render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_right() {
        for (key, _, text) in TEMPLATES {
            let sxp =
                crate::sxp::read_one(text.as_bytes(), &crate::sxp::Limits::default()).unwrap();
            let config =
                crate::shape::read_config(&sxp).unwrap_or_else(|error| panic!("{key}: {error}"));
            assert!(config.devices.len() >= 2, "{key}");
        }
    }
}
