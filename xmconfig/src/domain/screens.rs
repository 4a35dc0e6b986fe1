//! Frame buffers, and the keyboards and mice that belong to them.

use super::defaults::Defaults;
use super::settings::Settings;
use super::tree;
use super::vnc_listen::VncListen;
use crate::error::Fault;
use xend_sxp::Sxp;

const KEYS: [&str; 14] = [
    "vnclisten",
    "vncunused",
    "vncdisplay",
    "display",
    "videoram",
    "xauthority",
    "sdl",
    "vnc",
    "vncpasswd",
    "opengl",
    "keymap",
    "serial",
    "monitor",
    "type",
];

/// The devices of `vfb`.
pub(super) fn screens(
    settings: &Settings<'_>,
    defaults: &Defaults<'_>,
    devices: &mut Vec<Sxp>,
) -> Result<(), Fault> {
    for item in settings.items("vfb")? {
        let mut pairs = item.pairs(&KEYS)?;
        // `type=vnc` is an older form of `vnc=1`.
        if let Some(kind) = pairs.get(b"type").copied() {
            if !matches!(kind, b"vnc" | b"sdl") {
                return Err(item.fault("the type is neither vnc nor sdl"));
            }
            pairs.insert(kind, b"1");
            pairs.remove(b"type");
        }
        let mut display = None;
        if let Some(listen) = pairs.get(b"vnclisten").copied() {
            let wrong = |reason: &str| item.fault(format!("vnclisten: {reason}"));
            let listen = VncListen::read(listen).map_err(wrong)?;
            display = listen.display_beside(pairs.get(b"vncdisplay").copied()).map_err(wrong)?;
            match listen.address {
                Some(address) => pairs.insert(b"vnclisten", address),
                None => drop(pairs.remove(b"vnclisten")),
            }
        }
        let field = |key: &str, text: &[u8]| tree::text_field(key, text, item.offset);
        let mut fields: Vec<Sxp> =
            pairs.iter().map(|(key, text)| field(&String::from_utf8_lossy(key), text)).collect();
        fields.extend(display.map(|number| field("vncdisplay", number.to_string().as_bytes())));
        let keymap = settings.text("keymap", "");
        if pairs.get(b"keymap").is_none() && !keymap.is_empty() {
            fields.push(field("keymap", &keymap));
        }
        for (key, default) in [("display", defaults.display), ("xauthority", defaults.xauthority)] {
            if let (None, Some(text)) = (pairs.get(key.as_bytes()), default) {
                fields.push(field(key, text.as_bytes()));
            }
        }
        devices.push(tree::device("vkbd", [], item.offset));
        devices.push(tree::device("vfb", fields, item.offset));
    }
    Ok(())
}
