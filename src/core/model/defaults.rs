//! Defaults for devices, from the operator's configuration.

use super::device::{Device, Vfb};
use super::image::Image;
use super::property::Property;
use super::text::Text;

/// The operator's defaults for network interfaces and frame buffers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceDefaults {
    /// `None` for Xen's own script.
    pub vif_script: Option<Text>,
    /// `None` leaves the choice to the script.
    pub vif_bridge: Option<Text>,
    /// `None` for 127.0.0.1.
    pub vnc_listen: Option<Text>,
    /// `None` for the device model's own keymap.
    pub keymap: Option<Text>,
}

impl DeviceDefaults {
    /// Fills in the properties that `device` leaves open, for a domain with this image that is
    /// about to run.
    pub fn complete(&self, device: &mut Device, image: Option<&Image>) {
        match device {
            Device::Vif(vif) => {
                // A script other than the host's serves another network, with another bridge or
                // none.
                if vif.script.is_none() || vif.script == self.vif_script {
                    vif.bridge = vif.bridge.take().or_else(|| self.vif_bridge.clone());
                }
                vif.script = vif.script.take().or_else(|| self.vif_script.clone());
            }
            Device::Vfb(vfb) => {
                if vfb.is_vnc() {
                    set_if_absent(vfb, "vnclisten", self.vnc_listen.as_ref());
                }
                if image.is_none_or(|image| image.setting("keymap").is_none()) {
                    set_if_absent(vfb, "keymap", self.keymap.as_ref());
                }
            }
            _ => {}
        }
    }
}

/// Sets a property that the frame buffer does not have yet.
fn set_if_absent(vfb: &mut Vfb, key: &str, value: Option<&Text>) {
    if let Some(value) = value.filter(|_| vfb.setting(key).is_none()) {
        vfb.rest.push(Property::new(key, value.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::device::Vif;

    fn defaults() -> DeviceDefaults {
        DeviceDefaults {
            vif_script: Some("vif-route".into()),
            vif_bridge: Some("xenbr1".into()),
            vnc_listen: Some("0.0.0.0".into()),
            keymap: Some("de".into()),
        }
    }

    #[test]
    fn defaults_do_not_replace_properties_of_an_interface() {
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
    fn defaults_do_not_replace_properties_of_a_frame_buffer() {
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
}
