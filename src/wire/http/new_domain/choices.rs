//! What a new domain can be connected to: the bridges and disk images of the host.

use crate::core::model::{InterfaceKind, Item, Uuid, Vdi};
use crate::core::offload::Offload;
use crate::core::rights::OpKind;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::core::view::View;
use crate::wire::http::host::usage::of_images;
use crate::wire::http::html::units::bytes;
use crate::wire::http::natural_order::natural_order;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most images that a form lists. Others can be given by their paths.
const MOST_IMAGES: usize = 500;

/// The most domains that the label of an image names.
const MOST_USERS: usize = 3;

/// About how much text is looked through for a domain.
const DOMAIN_BYTES: usize = 64;

/// A disk image that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wire::http) struct DiskImage {
    /// `file:/images/web1.img`
    pub(in crate::wire::http) uname: String,
    /// Its name, its size, and the domains that have it, for people.
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
    /// UUID of the image that can be made. The domains are looked through in one of the `places`.
    pub(in crate::wire::http) async fn read(
        view: &View,
        places: &Offload,
        new_image: Uuid,
    ) -> Self {
        let snapshot = view.snapshot();
        let images = || images(view, &snapshot);
        let may_make_images = view.may(OpKind::CreateVdi);
        let new_image = view.image_path(new_image).ok().filter(|_| may_make_images);
        Self {
            bridges: bridges(view).await,
            are_bridges_limited: view.allowed_bridges().is_some(),
            images: places.print(snapshot.len() * DOMAIN_BYTES, images).await,
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

fn images(view: &View, snapshot: &Snapshot) -> Vec<DiskImage> {
    let inventory = view.inventory();
    let all: Vec<(Uuid, &Vdi)> = inventory.vdis().map(|(item, vdi)| (item.uuid, vdi)).collect();
    let users = of_images(snapshot, &all);
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
        let size = (vdi.size > 0).then(|| bytes(vdi.size));
        let users = users.get(&item.uuid).map(|users| attached_to(users));
        let facts: Vec<String> = size.into_iter().chain(users).collect();
        let label = match facts.as_slice() {
            [] => name,
            facts => format!("{name} ({})", facts.join(", ")),
        };
        Some(DiskImage { uname, label })
    };
    let mut images: Vec<DiskImage> = inventory.vdis().filter_map(image).take(MOST_IMAGES).collect();
    images.sort_by(|a, b| natural_order(&a.label, &b.label));
    images
}

/// `attached to web1, web2, web3 and 2 more`
fn attached_to(users: &[&Arc<DomainView>]) -> String {
    let names: Vec<&str> = users.iter().take(MOST_USERS).map(|view| view.name().as_str()).collect();
    let names = names.join(", ");
    match users.len().saturating_sub(MOST_USERS) {
        0 => format!("attached to {names}"),
        more => format!("attached to {names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig};
    use crate::core::snapshot::fixtures::running;

    #[test]
    fn an_image_names_some_of_its_domains() {
        let domain =
            |n: u32| running(n, DomainConfig::new(DomName::new(&format!("web{n}")).unwrap(), 64));
        let views: Vec<_> = (1..=5).map(domain).collect();
        let views: Vec<&Arc<DomainView>> = views.iter().collect();
        assert_eq!(attached_to(&views[..1]), "attached to web1");
        assert_eq!(attached_to(&views[..3]), "attached to web1, web2, web3");
        assert_eq!(attached_to(&views), "attached to web1, web2, web3 and 2 more");
    }
}
