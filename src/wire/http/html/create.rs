//! The page on which domains are created, and the one that shows a new domain.

use super::parts::frame;
use crate::core::lifecycle::State;
use crate::core::snapshot::DomainView;
use crate::wire::http::config_text::{self, ConfigTextError};
use crate::wire::http::operations::power::UNPAUSE;
use crate::wire::http::operations::save::RESTORE;
use crate::wire::http::request::RequestInfo;
use xend_templates::{CreateError, CreatePage, CreatedPage, Link, Position};

/// The values of `?template=`.
pub(crate) const TEMPLATE_KEYS: [&str; 3] = [TEMPLATES[0].0, TEMPLATES[1].0, TEMPLATES[2].0];

/// Configurations to start from: key, label, text.
const TEMPLATES: [(&str, &str, &str); 3] = [
    (
        "pv",
        "PV guest",
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
        "PVH guest",
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
        "HVM guest",
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

/// The page without text, or with a template's.
pub(crate) fn new(request: &RequestInfo, template: Option<&str>) -> String {
    let text =
        TEMPLATES.iter().find(|(key, ..)| Some(*key) == template).map_or("", |(_, _, text)| text);
    page(request, text.to_owned(), None)
}

/// The page after an error, with the text that was sent.
pub(crate) fn failed(request: &RequestInfo, text: &[u8], message: &str, hint: &str) -> String {
    let error = CreateError { message: message.to_owned(), hint: hint.to_owned(), position: None };
    page(request, String::from_utf8_lossy(text).into_owned(), Some(error))
}

/// The page after an error in the text that was sent.
pub(crate) fn invalid_config(
    request: &RequestInfo,
    text: &[u8],
    error: &ConfigTextError,
) -> String {
    let error = CreateError {
        message: error.reason.clone(),
        hint: "Fix the error below and try again.".to_owned(),
        position: Some(Position { line: error.line, column: error.column }),
    };
    page(request, String::from_utf8_lossy(text).into_owned(), Some(error))
}

fn page(request: &RequestInfo, text: String, error: Option<CreateError>) -> String {
    let link = |(key, label, _): &(&str, &str, &str)| {
        Link::new(*label, format!("/xend/new?template={key}"))
    };
    CreatePage {
        frame: frame(request),
        href: "/xend/domain".to_owned(),
        templates: TEMPLATES.iter().map(link).collect(),
        text,
        error,
        can_restore: RESTORE.is_offered(&request.access()),
    }
    .render()
}

/// The page of a domain that was just created.
pub(crate) fn created(request: &RequestInfo, view: &DomainView, href: &str) -> String {
    CreatedPage {
        frame: frame(request),
        name: view.name().to_string(),
        href: href.to_owned(),
        paused: view.state() == State::Paused && UNPAUSE.is_offered_on(&request.access(), view),
        config_text: config_text::print(&view.config),
    }
    .render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::read_config;
    use crate::sxp::{Limits, read_one};

    #[test]
    fn templates_are_valid() {
        for (key, _, text) in TEMPLATES {
            let sxp = read_one(text.as_bytes(), &Limits::default()).unwrap();
            let config = read_config(&sxp).unwrap_or_else(|error| panic!("{key}: {error}"));
            assert!(config.devices.len() >= 2, "{key}");
        }
    }
}
