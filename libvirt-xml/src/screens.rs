//! Screens.

use crate::element::Element;
use crate::error::Fault;
use crate::tree;
use crate::values::{fault, number};
use xend_sxp::Sxp;

/// The port of VNC's display 0.
const FIRST_PORT: i64 = 5900;

/// The frame buffers of a PV or PVH guest, with their keyboards.
pub(crate) fn screens(
    devices: &Element,
    fields: &mut Vec<Sxp>,
    warnings: &mut Vec<Fault>,
) -> Result<(), Fault> {
    for graphics in devices.all("graphics") {
        let mut screen = Vec::new();
        if let Some(kind) = screen_fields(graphics, &mut screen, warnings)? {
            screen.insert(0, tree::field("type", kind, graphics.offset));
            fields.push(tree::device("vkbd", Vec::new(), graphics.offset));
            fields.push(tree::device("vfb", screen, graphics.offset));
        }
    }
    devices.all("video").chain(devices.all("input")).for_each(Element::ignore);
    Ok(())
}

/// Adds the screens of an HVM guest to its image.
pub(crate) fn hvm_screens(
    devices: &Element,
    fields: &mut Vec<Sxp>,
    warnings: &mut Vec<Fault>,
) -> Result<(), Fault> {
    for graphics in devices.all("graphics") {
        let mut screen = Vec::new();
        if let Some(kind) = screen_fields(graphics, &mut screen, warnings)? {
            fields.push(tree::field(kind, "1", graphics.offset));
            fields.extend(screen);
        }
    }
    Ok(())
}

/// Adds the settings of a screen, and returns its kind; `None` if xend has none for it.
fn screen_fields(
    graphics: &Element,
    fields: &mut Vec<Sxp>,
    warnings: &mut Vec<Fault>,
) -> Result<Option<&'static str>, Fault> {
    let mut add = |key: &str, text: Option<&str>| {
        fields.extend(text.map(|text| tree::field(key, text, graphics.offset)));
    };
    match graphics.attribute("type") {
        Some("vnc") => {}
        Some("sdl") => {
            add("display", graphics.attribute("display"));
            add("xauthority", graphics.attribute("xauth"));
            return Ok(Some("sdl"));
        }
        _ => {
            graphics.ignore();
            warnings
                .push(fault(graphics, "only vnc and sdl are supported, the screen is left out"));
            return Ok(None);
        }
    }
    let port = graphics.attribute("port").map(|port| number::<i64>(graphics, port)).transpose()?;
    match port.filter(|port| *port >= 0 && !graphics.is("autoport", "yes")) {
        None => add("vncunused", Some("1")),
        Some(port) if port >= FIRST_PORT => {
            add("vncunused", Some("0"));
            add("vncdisplay", Some((port - FIRST_PORT).to_string().as_str()));
        }
        Some(_) => return Err(fault(graphics, &format!("the port is below {FIRST_PORT}"))),
    }
    let listen = graphics.attribute_of("listen", "address");
    add("vnclisten", graphics.attribute("listen").or(listen));
    add("vncpasswd", graphics.attribute("passwd"));
    add("keymap", graphics.attribute("keymap"));
    Ok(Some("vnc"))
}
