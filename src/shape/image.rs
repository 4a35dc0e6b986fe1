//! Images: `(image (linux ...))`.

use super::error::ShapeError;
use super::fields::Fields;
use super::record::RecordKind;
use super::sink::Sink;
use crate::core::model::{Device, DomainConfig, GuestKind, Image, MAX_VCPUS, Property, Text, Unit};
use crate::sxp::Sxp;

/// Reads `(image (linux ...))`: the image and the number of VCPUs, which xm 3.0.0 sent only here.
pub(super) fn read_image(property: &Sxp) -> Result<(Option<Image>, Option<u64>), ShapeError> {
    let image = match property.tail() {
        [] => return Ok((None, None)),
        [image] if image.as_list().is_some_and(<[Sxp]>::is_empty) => return Ok((None, None)),
        [image] => image,
        _ => {
            return Err(ShapeError::new(
                "image",
                "one image like (image (linux (kernel /boot/vmlinuz))) is expected",
                property,
            ));
        }
    };
    let Some(builder) = image.head() else {
        return Err(ShapeError::new(
            "image",
            "a list like (linux (kernel /boot/vmlinuz)) is expected",
            image,
        ));
    };
    let kind = match builder {
        "linux" | "netbsd" | "solaris" | "plan9" => GuestKind::Pv,
        // xend 3.0 called HVM on Intel `vmx`.
        "hvm" | "vmx" => GuestKind::Hvm,
        "pvh" => GuestKind::Pvh,
        _ => {
            return Err(ShapeError::new(
                "image",
                format!("{builder:?} is not one of linux, hvm, pvh"),
                image,
            ));
        }
    };
    let mut fields = Fields::new("image", image.tail())?;
    fields.drop_keys(&["notes"]);
    if kind != GuestKind::Hvm {
        // xm 3.0.0 sends these for every guest; only HVM uses them.
        fields.drop_keys(&["boot", "nics"]);
    }
    let vcpus = fields.number("vcpus", Unit::Plain, 1..=u64::from(MAX_VCPUS))?;
    let mut kernel = fields.text("kernel")?;
    let mut loader = fields.optional_text("loader")?;
    if kind == GuestKind::Hvm && loader.is_none() && !kernel.is_empty() {
        loader = Some(std::mem::take(&mut kernel));
    }
    let ramdisk = fields.optional_text("ramdisk")?;
    let args = command_line(&mut fields)?;
    let device_model = fields.optional_text("device_model")?;
    let mut rest = fields.rest();
    // Answers repeat the PCI devices here.
    rest.retain(|property| property.key != "pci");
    let image =
        Image { kind, builder: builder.into(), kernel, ramdisk, args, loader, device_model, rest };
    Ok((Some(image), vcpus))
}

/// Joins `ip`, `root` and `args` to a command line, in xend's order.
fn command_line(fields: &mut Fields<'_>) -> Result<Text, ShapeError> {
    let mut line = Vec::new();
    for (key, prefix) in [("ip", "ip="), ("root", "root="), ("args", "")] {
        if let Some(text) = fields.optional_text(key)? {
            if !line.is_empty() {
                line.push(b' ');
            }
            line.extend_from_slice(prefix.as_bytes());
            line.extend_from_slice(&text);
        }
    }
    Ok(line.into())
}

/// Begins `(image ...)`, which [`end_image`] ends: a running domain's notes come last. A stored
/// record has the configured keys only, the others have xend's defaults, too.
pub(super) fn begin_image(
    sink: &mut impl Sink,
    image: &Image,
    config: &DomainConfig,
    kind: RecordKind,
    privileged: bool,
) {
    let stored = kind == RecordKind::Stored;
    sink.begin_field("image");
    sink.begin_record(&String::from_utf8_lossy(&image.builder));
    sink.text_field("kernel", &image.kernel);
    let hvm = image.kind == GuestKind::Hvm;
    match &image.loader {
        Some(path) => sink.text_field("loader", path),
        None if hvm && !stored => sink.text_field("loader", Image::LOADER.as_bytes()),
        None => {}
    }
    if let Some(ramdisk) = &image.ramdisk {
        sink.text_field("ramdisk", ramdisk);
    }
    if !image.args.is_empty() {
        sink.text_field("args", &image.args);
    }
    // Before the defaults, so that a record that is read back is printed in the same order.
    match &image.device_model {
        Some(path) => sink.text_field("device_model", path),
        None if !stored && (hvm || has_frame_buffer(config)) => {
            sink.text_field("device_model", Image::DEVICE_MODEL.as_bytes());
        }
        None => {}
    }
    if !stored {
        image.defaults().for_each(|(key, value)| sink.digits_field(key, value));
    }
    if matches!(kind, RecordKind::Running { .. }) && !privileged {
        sink.begin_field("pci");
        sink.begin_list();
        sink.end_list();
        sink.end_field();
    }
    if stored {
        return sink.settings(image.rest.iter());
    }
    let shown: Vec<_> = Property::shown(&image.rest).collect();
    sink.settings(shown.iter().map(AsRef::as_ref));
}

/// Whether a domain has a frame buffer, which a device model serves for a PV guest, too.
fn has_frame_buffer(config: &DomainConfig) -> bool {
    config.devices.iter().any(|device| matches!(device, Device::Vfb(_)))
}

/// Ends the image that [`begin_image`] began.
pub(super) fn end_image(sink: &mut impl Sink) {
    sink.end_record();
    sink.end_field();
}
