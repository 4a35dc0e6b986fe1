//! What devices have whose configuration leaves it open.

use super::{Device, Image, Property, Text, Vfb};
use std::fmt;

/// What the operator wants network interfaces and screens to have whose configuration leaves it
/// open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceDefaults {
    /// The hotplug script of a network interface; `None` for Xen's own.
    pub vif_script: Option<Text>,
    /// The bridge of a network interface; `None` for the script's choice.
    pub vif_bridge: Option<Text>,
    /// The address that a VNC screen is at; `None` for 127.0.0.1.
    pub vnc_listen: Option<Text>,
    /// A screen's keyboard; `None` for the device model's own.
    pub keymap: Option<Text>,
}

impl DeviceDefaults {
    /// Fills in what `device` leaves open, for a domain with this image that is about to run.
    pub fn complete(&self, device: &mut Device, image: Option<&Image>) {
        match device {
            Device::Vif(vif) => {
                // A script other than the host's is for a network of its own, which has another
                // bridge or none.
                if vif.script.is_none() || vif.script == self.vif_script {
                    vif.bridge = vif.bridge.take().or_else(|| self.vif_bridge.clone());
                }
                vif.script = vif.script.take().or_else(|| self.vif_script.clone());
            }
            Device::Vfb(screen) => {
                if screen.is_vnc() {
                    leave_open(screen, "vnclisten", self.vnc_listen.as_ref());
                }
                if image.is_none_or(|image| image.setting("keymap").is_none()) {
                    leave_open(screen, "keymap", self.keymap.as_ref());
                }
            }
            _ => {}
        }
    }
}

/// Gives a screen a property that it does not have.
fn leave_open(screen: &mut Vfb, key: &str, value: Option<&Text>) {
    if let Some(value) = value.filter(|_| screen.setting(key).is_none()) {
        screen.rest.push(Property::new(key, value.clone()));
    }
}

/// A password that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Text);

impl Password {
    /// A password; `None` if it is empty, which is none.
    pub fn new(text: Text) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    /// The password itself, for whoever checks it.
    pub fn reveal(&self) -> &Text {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::Vif;

    fn defaults() -> DeviceDefaults {
        DeviceDefaults {
            vif_script: Some("vif-route".into()),
            vif_bridge: Some("xenbr1".into()),
            vnc_listen: Some("0.0.0.0".into()),
            keymap: Some("de".into()),
        }
    }

    #[test]
    fn an_interface_keeps_what_it_was_given() {
        let mut plain = Device::Vif(Vif::default());
        defaults().complete(&mut plain, None);
        let filled = Vif {
            script: Some("vif-route".into()),
            bridge: Some("xenbr1".into()),
            ..Vif::default()
        };
        assert_eq!(plain, Device::Vif(filled));
        let own = Device::Vif(Vif { script: Some("vif-nat".into()), ..Vif::default() });
        let mut same = own.clone();
        defaults().complete(&mut same, None);
        assert_eq!(same, own);
        let mut untouched = Device::Vif(Vif::default());
        DeviceDefaults::default().complete(&mut untouched, None);
        assert_eq!(untouched, Device::Vif(Vif::default()));
    }

    #[test]
    fn a_screen_keeps_what_it_was_given() {
        let screen = |rest: &[(&str, &str)]| {
            Device::Vfb(Vfb {
                rest: rest.iter().map(|(k, v)| Property::new(*k, *v)).collect(),
                ..Vfb::default()
            })
        };
        for (given, complete) in [
            (
                screen(&[("vnc", "1")]),
                screen(&[("vnc", "1"), ("vnclisten", "0.0.0.0"), ("keymap", "de")]),
            ),
            (screen(&[("sdl", "1")]), screen(&[("sdl", "1"), ("keymap", "de")])),
            (
                screen(&[("vnc", "1"), ("vnclisten", ""), ("keymap", "ja")]),
                screen(&[("vnc", "1"), ("vnclisten", ""), ("keymap", "ja")]),
            ),
        ] {
            let mut device = given;
            defaults().complete(&mut device, None);
            assert_eq!(device, complete);
        }
    }

    #[test]
    fn no_message_shows_a_password() {
        assert_eq!(format!("{:?}", Password::new("geheim".into())), "Some(Password(hidden))");
        assert_eq!(Password::new("".into()), None);
    }
}
