//! `GET /xend/node/storage` and the pages below: disk images.

use super::listing::{PAGE_PARAM, Search, list_page, respond, some_links};
use super::usage::of_images;
use crate::core::error::Error;
use crate::core::inventory::Inventory;
use crate::core::model::{Item, Uuid, Vdi, parse_uuid};
use crate::core::ports::{DiskFacts, StorageFacts};
use crate::core::rights::OpKind;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::core::view::View;
use crate::shape;
use crate::wire::http::confirmation::nothing_to_confirm;
use crate::wire::http::context::Http;
use crate::wire::http::errors::operation_failed;
use crate::wire::http::format::Format;
use crate::wire::http::html::parts::{action, domain_link, frame};
use crate::wire::http::html::plain_form::form_of;
use crate::wire::http::html::units::bytes;
use crate::wire::http::json::host::{Image, Storage};
use crate::wire::http::operation::asking;
use crate::wire::http::operation::{Param, ParamKind, optional};
use crate::wire::http::operations::by_page::{IMAGE_OPERATIONS, STORAGE_OPERATIONS};
use crate::wire::http::operations::storage::DELETE;
use crate::wire::http::query_by_get::no_json;
use crate::wire::http::request::RequestInfo;
use crate::wire::http::response::{Content, ok};
use axum::extract::State;
use axum::response::Response;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use xend_templates::{
    Cell, ConfirmPage, Fact, Link, ListPage, Table, TableColumn, TargetForm, UploadForm,
};

/// The page of the storage.
pub(crate) const PATH: &str = "/xend/node/storage";

/// Where images are sent.
pub(crate) const UPLOAD_PATH: &str = "/xend/node/storage/upload";

/// The images of a page. Each is looked at on the disk.
const PER_PAGE: usize = 50;

/// About how much text is looked through for an image or a domain.
const ITEM_BYTES: usize = 64;

/// The parameters of the page.
pub(crate) const QUERY: [Param; 2] = [
    optional("q", ParamKind::Text("part of a name or a place"), "all", "Images with this", "web"),
    PAGE_PARAM,
];

/// An image with what is known about it.
struct Found<'a> {
    item: &'a Arc<Item>,
    vdi: &'a Vdi,
    facts: Option<DiskFacts>,
    domains: Vec<&'a Arc<DomainView>>,
}

/// `GET /xend/node/storage`
pub(crate) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let failed = |error| operation_failed(&request, "storage", &error);
    view.require(OpKind::ShowStorage, "storage").map_err(failed)?;
    let search = Search::of(&request.query, PER_PAGE).map_err(|invalid| failed(invalid.into()))?;
    // A storage that cannot be used hides no images.
    let storage = view.storage().await.ok();
    let inventory = view.inventory();
    let snapshot = view.snapshot();
    let select = || {
        let mut images: Vec<(&Arc<Item>, &Vdi)> =
            inventory.vdis().filter(|(item, vdi)| matches(item, vdi, search.wanted())).collect();
        images.sort_by_cached_key(|(item, _)| (name(item).to_lowercase(), item.uuid));
        (images.len(), search.select(images))
    };
    let count = inventory.items().count();
    let (total, shown) = http.engine().print(count * ITEM_BYTES, select).await;
    let found = find(&http, &view, &snapshot, shown).await.map_err(failed)?;
    let json = Storage {
        directory: storage.as_ref().map(|facts| facts.dir.display().to_string()),
        size_bytes: storage.as_ref().map(|facts| facts.size),
        used_bytes: storage.as_ref().map(|facts| facts.used),
        free_bytes: storage.as_ref().map(|facts| facts.free),
        total,
        images: found.iter().map(image).collect(),
    };
    Ok(respond(&request, &json, || {
        let table = search.table(&request, "images", total, table(&request, &found));
        let access = request.access();
        let offered = STORAGE_OPERATIONS.iter().filter(|operation| operation.is_offered(&access));
        ListPage {
            facts: storage.as_ref().map(storage_facts).unwrap_or_default(),
            filter: vec![search.field()],
            tables: vec![table],
            forms: offered
                .map(|operation| TargetForm {
                    href: PATH.to_owned(),
                    operation: form_of(operation),
                })
                .collect(),
            upload: access.may(OpKind::CreateVdi).then(|| upload_form(storage.as_ref())),
            ..list_page(&request, "Storage", "")
        }
    }))
}

/// `GET /xend/node/storage/ID`
pub(crate) async fn get_image(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let failed = |error| operation_failed(&request, "storage", &error);
    let inventory = view.inventory();
    let (item, vdi) = named(&view, &request, &inventory).map_err(failed)?;
    let snapshot = view.snapshot();
    let found = find(&http, &view, &snapshot, vec![(item, vdi)]).await.map_err(failed)?;
    let [found] = found.as_slice() else { return Err(failed(no_such(&request))) };
    Ok(respond(&request, &image(found), || image_page(&request, found)))
}

/// `GET /xend/node/storage/ID/confirm?op=delete`
pub(crate) async fn confirm(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let failed = |error| operation_failed(&request, "delete", &error);
    let inventory = view.inventory();
    let (item, _) = named(&view, &request, &inventory).map_err(failed)?;
    let op = request.query.operation().unwrap_or_default();
    let Some((operation, data_loss)) = asking(&IMAGE_OPERATIONS, &op) else {
        return Ok(nothing_to_confirm(&request, &IMAGE_OPERATIONS));
    };
    for kind in operation.kinds {
        view.require(*kind, operation.name).map_err(failed)?;
    }
    if request.format == Format::Json {
        return Err(no_json());
    }
    let page = ConfirmPage {
        frame: frame(&request),
        domain: Link::new(title(item), image_path(item.uuid)),
        operation: form_of(operation),
        data_loss: data_loss.to_owned(),
    };
    Ok(ok(Content::Html(page.render())))
}

/// The image in the path.
fn named<'a>(
    view: &View,
    request: &RequestInfo,
    inventory: &'a Inventory,
) -> Result<(&'a Arc<Item>, &'a Vdi), Error> {
    view.require(OpKind::ShowStorage, "storage")?;
    let uuid = parse_uuid(request.name()).ok();
    uuid.and_then(|uuid| inventory.vdi(&uuid)).ok_or_else(|| no_such(request))
}

fn no_such(request: &RequestInfo) -> Error {
    Error::NoSuchObject { class: "image", name: request.name().to_owned() }
}

/// What is known about images: on the disk, and by the domains that have them.
async fn find<'a>(
    http: &Http,
    view: &View,
    snapshot: &'a Snapshot,
    images: Vec<(&'a Arc<Item>, &'a Vdi)>,
) -> Result<Vec<Found<'a>>, Error> {
    let paths: Vec<PathBuf> = images.iter().map(|(_, vdi)| path(vdi)).collect();
    let facts = view.disk_facts(&paths).await?;
    let by_uuid: Vec<(Uuid, &Vdi)> = images.iter().map(|(item, vdi)| (item.uuid, *vdi)).collect();
    let look = || of_images(snapshot, &by_uuid);
    let mut users = http.engine().print(snapshot.len() * ITEM_BYTES, look).await;
    let found = images.into_iter().zip(facts).map(|((item, vdi), facts)| Found {
        item,
        vdi,
        facts,
        domains: users.remove(&item.uuid).unwrap_or_default(),
    });
    Ok(found.collect())
}

/// The file or the device of an image.
fn path(vdi: &Vdi) -> PathBuf {
    let location = vdi.location.as_slice();
    let start = location.iter().position(|byte| *byte == b'/').unwrap_or(location.len());
    PathBuf::from(OsStr::from_bytes(&location[start..]))
}

/// What clients call an image; empty for none.
fn name(item: &Item) -> &str {
    item.client_data.text("name_label").unwrap_or_default()
}

/// The name, or else the UUID.
fn title(item: &Item) -> String {
    match name(item) {
        "" => item.uuid.to_string(),
        name => name.to_owned(),
    }
}

/// The page of an image.
pub(crate) fn image_path(uuid: Uuid) -> String {
    format!("{PATH}/{uuid}")
}

fn matches(item: &Item, vdi: &Vdi, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    has(name(item)) || has(&item.uuid.to_string()) || has(&vdi.location.to_string())
}

/// The format, by the scheme of the location; an image of xend's own, by what it holds.
fn format(vdi: &Vdi, content: Option<&str>) -> String {
    const SCHEMES: [&str; 5] = ["vhd", "qcow", "qcow2", "vmdk", "vhdx"];
    let location = vdi.location.to_string();
    let scheme = location.split('/').next().unwrap_or_default().trim_end_matches(':');
    let driver = scheme.rsplit(':').next().unwrap_or_default();
    let known = SCHEMES.into_iter().find(|known| *known == driver);
    let held = SCHEMES.into_iter().find(|known| Some(*known) == content);
    known.or(held).unwrap_or("raw").to_owned()
}

fn image(found: &Found<'_>) -> Image {
    let Found { item, vdi, facts, domains } = found;
    let content = facts.as_ref().and_then(|facts| facts.content);
    Image {
        uuid: item.uuid.to_string(),
        name: name(item).to_owned(),
        location: vdi.location.to_string(),
        size_bytes: match vdi.size {
            0 => facts.as_ref().map_or(0, |facts| facts.usage.size),
            size => size,
        },
        used_bytes: facts.as_ref().map(|facts| facts.usage.used),
        format: format(vdi, content),
        content,
        is_own: vdi.own,
        is_read_only: vdi.read_only,
        is_sharable: vdi.sharable,
        domains: domains.iter().map(|view| view.name().to_string()).collect(),
    }
}

fn storage_facts(storage: &StorageFacts) -> Vec<Fact> {
    vec![
        Fact::new("Directory", storage.dir.display().to_string()),
        Fact::new("File system", bytes(storage.size)),
        Fact::new("Used by images", bytes(storage.used)),
        Fact::new("Free", bytes(storage.free)),
    ]
}

fn table(request: &RequestInfo, found: &[Found<'_>]) -> Table {
    Table {
        id: "images".to_owned(),
        title: "Images".to_owned(),
        columns: vec![
            TableColumn::text("Image"),
            TableColumn::number("Size"),
            TableColumn::number("Used"),
            TableColumn::text("Format"),
            TableColumn::text("Holds"),
            TableColumn::text("Attached to"),
            TableColumn::text("Actions"),
        ],
        rows: found.iter().map(|found| row(request, found)).collect(),
        ..Table::default()
    }
}

fn row(request: &RequestInfo, found: &Found<'_>) -> Vec<Cell> {
    let image = image(found);
    let (links, more) = some_links(found.domains.iter().map(|view| domain_link(view)));
    let href = image_path(found.item.uuid);
    let access = request.access();
    // What a domain has is not deleted.
    let can_delete = found.domains.is_empty() && DELETE.is_offered(&access);
    let delete = action(&DELETE, &format!("{href}/confirm"));
    vec![
        Cell::Link(Link::new(title(found.item), href.clone())),
        Cell::Text(bytes(image.size_bytes)),
        Cell::Text(image.used_bytes.map(bytes).unwrap_or_default()),
        Cell::Text(image.format),
        Cell::Text(image.content.unwrap_or_default().to_owned()),
        Cell::Links { links, more },
        Cell::Actions {
            href,
            name: title(found.item),
            actions: can_delete.then_some(delete).into_iter().collect(),
        },
    ]
}

fn image_page(request: &RequestInfo, found: &Found<'_>) -> ListPage {
    let image = image(found);
    let yes_or_no = |is: bool| if is { "yes" } else { "no" };
    let facts = vec![
        Fact::new("UUID", image.uuid.clone()),
        Fact::new("Location", image.location.clone()),
        Fact::new("Size", bytes(image.size_bytes)),
        Fact::new("Used", image.used_bytes.map_or_else(|| "unknown".to_owned(), bytes)),
        Fact::new("Format", image.format.clone()),
        Fact::new("Holds", image.content.unwrap_or("unknown")),
        Fact::new("Made by xend", yes_or_no(image.is_own)),
        Fact::new("Read-only", yes_or_no(image.is_read_only)),
        Fact::new("Sharable", yes_or_no(image.is_sharable)),
    ];
    let rows = found.domains.iter().take(PER_PAGE);
    let domains = Table {
        id: "domains".to_owned(),
        title: "Attached to".to_owned(),
        columns: vec![TableColumn::text("Domain"), TableColumn::text("State")],
        rows: rows
            .map(|view| {
                let state = shape::state_word(view).to_owned();
                vec![Cell::Link(domain_link(view)), Cell::State(state)]
            })
            .collect(),
        empty: "No domain has this image.".to_owned(),
        pager: None,
    };
    let access = request.access();
    let href = image_path(found.item.uuid);
    let offered = IMAGE_OPERATIONS.iter().filter(|operation| {
        operation.data_loss.is_none()
            && operation.is_offered(&access)
            && (found.vdi.own || operation.name != "clone")
    });
    let can_delete = found.domains.is_empty() && DELETE.is_offered(&access);
    let delete = action(&DELETE, &format!("{href}/confirm"));
    let delete = delete.confirm.map(|confirm| Link::new(delete.label, confirm));
    ListPage {
        parent: Some(PATH.to_owned()),
        facts,
        tables: vec![domains],
        forms: offered
            .map(|operation| TargetForm { href: href.clone(), operation: form_of(operation) })
            .collect(),
        links: delete.filter(|_| can_delete).into_iter().collect(),
        ..list_page(request, &title(found.item), "")
    }
}

fn upload_form(storage: Option<&StorageFacts>) -> UploadForm {
    let free = storage.map(|facts| format!(" {} are free.", bytes(facts.free)));
    UploadForm {
        href: UPLOAD_PATH.to_owned(),
        about: format!(
            "Sends a disk image from this computer to the host.{} A program sends the file as it is, \
             with curl -T disk.img -X POST and the address of this form: {UPLOAD_PATH}.",
            free.unwrap_or_default()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::VdiKind;

    fn vdi(location: &str) -> Vdi {
        Vdi {
            location: location.into(),
            size: 0,
            kind: VdiKind::User,
            own: false,
            sharable: false,
            read_only: false,
        }
    }

    #[test]
    fn the_format_is_that_of_the_place_or_of_what_is_there() {
        for (location, content, expected) in [
            ("file:/images/a.img", None, "raw"),
            ("file:/images/a.img", Some("qcow2"), "qcow2"),
            ("file:/images/a.img", Some("ext4"), "raw"),
            ("tap:qcow:/images/a", None, "qcow"),
            ("tap2:tapdisk:vhd:/images/a", None, "vhd"),
            ("phy:/dev/vg0/a", None, "raw"),
            ("", None, "raw"),
        ] {
            assert_eq!(format(&vdi(location), content), expected, "{location}");
        }
    }

    #[test]
    fn the_path_is_without_its_scheme() {
        assert_eq!(path(&vdi("tap:aio:/images/a")), PathBuf::from("/images/a"));
        assert_eq!(path(&vdi("phy:sda1")), PathBuf::new());
    }
}
