//! What a new domain can be connected to: the bridges and disk images of the host.

use crate::core::model::{InterfaceKind, Item, Uuid, Vdi};
use crate::core::rights::OpKind;
use crate::core::view::View;
use crate::wire::http::html::units::bytes;
use crate::wire::http::natural_order::natural_order;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most images that a form lists. Others can be given by their paths.
const MOST_IMAGES: usize = 500;

/// A disk image that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wire::http) struct DiskImage {
    /// `file:/images/web1.img`
    pub(in crate::wire::http) uname: String,
    /// Its name and its size, for people.
    pub(in crate::wire::http) label: String,
}

/// What the caller may choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::wire::http) struct Choices {
    /// Bridges, in natural order. Empty if there are none, or the caller has none.
    pub(in crate::wire::http) bridges: Vec<String>,
    /// Whether the caller may not name another bridge.
    pub(in crate::wire::http) are_bridges_limited: bool,
    /// Images, in natural order of their labels.
    pub(in crate::wire::http) images: Vec<DiskImage>,
    /// The path of the image that can be made; `None` if the caller may not make images.
    pub(in crate::wire::http) new_image: Option<PathBuf>,
}

impl Choices {
    /// Reads them. What cannot be read is left out: the form has fields for it. `new_image` is the
    /// UUID of the image that can be made.
    pub(in crate::wire::http) async fn read(view: &View, new_image: Uuid) -> Self {
        let may_make_images = view.may(OpKind::CreateVdi);
        let new_image = view.image_path(new_image).ok().filter(|_| may_make_images);
        Self {
            bridges: bridges(view).await,
            are_bridges_limited: view.allowed_bridges().is_some(),
            images: images(view),
            new_image: new_image.filter(|path| view.may_have_disk(path)),
        }
    }
}

/// The bridges of the account; for an operator those of the host.
async fn bridges(view: &View) -> Vec<String> {
    let mut names = if let Some(names) = view.allowed_bridges() {
        names
    } else {
        let interfaces = view.interfaces().await.unwrap_or_default();
        let bridges = interfaces.into_iter().filter(|one| one.kind == InterfaceKind::Bridge);
        bridges.map(|bridge| bridge.name).collect()
    };
    names.sort_by(|a, b| natural_order(a, b));
    names
}

fn images(view: &View) -> Vec<DiskImage> {
    let inventory = view.inventory();
    let image = |(item, vdi): (&Arc<Item>, &Vdi)| {
        let uname = String::from_utf8(vdi.uname().to_vec()).ok().filter(|it| !it.is_empty())?;
        let path = uname.find('/').map_or("", |at| &uname[at..]);
        if !view.may_have_disk(Path::new(path)) {
            return None;
        }
        let name = item
            .client_data
            .text("name_label")
            .map_or_else(|| uname.rsplit('/').next().unwrap_or_default().to_owned(), str::to_owned);
        let label = match vdi.size {
            0 => name,
            size => format!("{name} ({})", bytes(size)),
        };
        Some(DiskImage { uname, label })
    };
    let mut images: Vec<DiskImage> = inventory.vdis().filter_map(image).take(MOST_IMAGES).collect();
    images.sort_by(|a, b| natural_order(&a.label, &b.label));
    images
}
