//! Operations on disk images: `create`, `clone`, `resize`, `delete`.

use crate::core::model::{
    ClientData, ClientValue, Invalid, Text, Uuid, Vdi, VdiKind, VdiSetting, parse_uuid,
};
use crate::core::op::{Change, ImageContent};
use crate::core::rights::OpKind;
use crate::wire::http::operation::{
    Operation, OperationRequest, Param, ParamKind, Success, optional, required,
};
use crate::wire::http::params::{bad_value, mebibytes};
use crate::wire::http::quantity::Quantity;
use serde::Deserialize;

/// The longest name of an image, in bytes.
const MAX_NAME: usize = 255;

const NAME: Param = optional(
    "name",
    ParamKind::Text("letters, digits, spaces and _ - . + : , @ #"),
    "none",
    "What the image is called",
    "web1 root",
);

const SIZE: Param =
    required("size", ParamKind::Quantity(Quantity::Mebibytes), "Size that a guest sees", "10240");

pub(super) static CREATE: Operation = Operation {
    name: "create",
    label: "Create an image",
    about: "Makes an empty disk image in the local storage. It takes space as it is written.",
    kinds: &[OpKind::CreateVdi],
    stages: &[],
    data_loss: None,
    params: &[NAME, SIZE],
    success: Success::Made("/xend/node/storage?done=created"),
    build: |request| {
        let Size { size } = request.params.parse()?;
        let size = bytes(size)?;
        let name = name_of(request)?;
        Ok(new_image(request.new_uuid, VdiKind::User, size, name, ImageContent::Empty).into())
    },
};

pub(super) static CLONE: Operation = Operation {
    name: "clone",
    label: "Clone",
    about: "Copies an image that xend made to a new one. A running domain can write meanwhile: \
            shut it down first.",
    kinds: &[OpKind::CreateVdi],
    stages: &[],
    data_loss: None,
    params: &[NAME],
    success: Success::Made("/xend/node/storage?done=cloned"),
    build: |request| {
        let source = image(request)?;
        // The engine knows the size.
        let content = ImageContent::CopyOf(source);
        Ok(new_image(request.new_uuid, VdiKind::User, 0, name_of(request)?, content).into())
    },
};

pub(super) static RESIZE: Operation = Operation {
    name: "resize",
    label: "Grow",
    about: "Makes the image larger; it does not shrink. The guest still has to grow its file \
            system.",
    kinds: &[OpKind::SetVdi],
    stages: &[],
    data_loss: None,
    params: &[SIZE],
    success: Success::Listed("/xend/node/storage?done=resized"),
    build: |request| {
        let Size { size } = request.params.parse()?;
        Ok(Change::SetVdi(image(request)?, VdiSetting::Size(bytes(size)?)).into())
    },
};

pub(crate) static DELETE: Operation = Operation {
    name: "delete",
    label: "Delete",
    about: "Removes an image that no domain has, and its file if xend made it.",
    kinds: &[OpKind::DestroyVdi],
    stages: &[],
    data_loss: Some("All data in the image are lost."),
    params: &[],
    success: Success::Listed("/xend/node/storage?done=deleted"),
    build: |request| Ok(Change::DestroyVdi(image(request)?).into()),
};

#[derive(Debug, Deserialize)]
struct Size {
    #[serde(deserialize_with = "mebibytes")]
    size: u64,
}

fn bytes(mebibytes: u64) -> Result<u64, Invalid> {
    let bytes = mebibytes.checked_mul(1 << 20).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| bad_value("size", "a number of MiB above 0 is expected"))
}

/// The image in the path. One that does not exist is told by the engine.
fn image(request: &OperationRequest<'_>) -> Result<Uuid, Invalid> {
    parse_uuid(request.name)
        .map_err(|_| Invalid::new(format!("No such image {}: give its UUID", request.name)))
}

/// The name that the client gives; empty for none.
fn name_of(request: &OperationRequest<'_>) -> Result<String, Invalid> {
    let Some(name) = request.params.text("name")? else { return Ok(String::new()) };
    check_name(&name)?;
    Ok(name)
}

/// Checks the name of an image.
pub(crate) fn check_name(name: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_alphanumeric() || " _-.+:,@#".contains(c);
    if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let expected = "1 to 255 bytes of letters, digits, spaces and _ - . + : , @ # are expected";
    Err(bad_value("name", expected))
}

/// The change that makes an image. An empty name is none.
pub(crate) fn new_image(
    uuid: Uuid,
    kind: VdiKind,
    size: u64,
    name: String,
    content: ImageContent,
) -> Change {
    let mut client_data = ClientData::default();
    if !name.is_empty() {
        // A name fits into the data of an object.
        client_data.set("name_label", Some(ClientValue::Text(name))).unwrap_or_default();
    }
    let vdi = Box::new(Vdi {
        location: Text::default(),
        size,
        kind,
        own: false,
        sharable: false,
        read_only: false,
    });
    Change::CreateVdi { uuid, vdi, client_data, content }
}
