use super::definitions::CONFIG;
use super::dir_store::DirStore;
use super::save_file;
use crate::core::model::{
    ClientData, CompleteConfig, Counter, DomName, DomainConfig, Item, ObjectKind, Uuid, Vdi,
    VdiKind, completed,
};
use crate::core::ports::{Definition, Objects, Store};
use crate::durable;
use crate::shape::stored_config;
use crate::state_file;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn config(name: &str, uuid: u128) -> CompleteConfig {
    let config = DomainConfig::new(DomName::new(name).unwrap(), 64);
    completed(DomainConfig { uuid: Some(Uuid::from_u128(uuid)), ..config })
}

fn open(dir: &Path) -> DirStore {
    DirStore::open(dir, Arc::new(Counter::default())).unwrap()
}

async fn loaded(store: &DirStore) -> Vec<String> {
    let definitions = store.load().await.unwrap();
    let mut names: Vec<_> = definitions.iter().map(|d| d.config.name.to_string()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn definitions_are_stored_in_xends_layout_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let a = config("a", 1);
    let b = config("b", 2);
    store.save(&a).await.unwrap();
    store.save(&b).await.unwrap();
    let path = dir.path().join("domains/00000000-0000-0000-0000-000000000001/config.sxp");
    assert!(fs::read_to_string(&path).unwrap().starts_with("(domain\n"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(loaded(&store).await, ["a", "b"]);
    store.remove(Uuid::from_u128(1)).await.unwrap();
    store.remove(Uuid::from_u128(1)).await.unwrap();
    assert!(!path.parent().unwrap().exists());
    let again = open(dir.path()).load().await.unwrap();
    assert_eq!(again, [Definition { config: b, suspended: false }]);
}

#[tokio::test]
async fn a_definition_that_cannot_be_stored_leaves_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let [a, b] = [config("a", 1), config("b", 2)];
    let domain = |config: &CompleteConfig| dir.path().join(format!("domains/{}", config.uuid()));
    // As on a full disk: a file cannot be in the place of a directory.
    fs::create_dir_all(domain(&a).join(CONFIG)).unwrap();
    store.save(&a).await.unwrap_err();
    assert!(domain(&a).join(CONFIG).is_dir(), "what was there stays");
    fs::remove_dir(domain(&a).join(CONFIG)).unwrap();
    store.save(&a).await.unwrap();

    // What a killed daemon leaves goes at the next start.
    fs::create_dir(domain(&b)).unwrap();
    assert_eq!(loaded(&open(dir.path())).await, ["a"]);
    assert!(!domain(&b).exists() && domain(&a).exists());
}

/// A domain's directory may be on another disk, with files of others beside its own.
#[tokio::test]
async fn a_domain_that_is_removed_takes_no_files_of_others_along() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&root.path().join("state"));
    let a = config("a", 1);
    let domain = root.path().join(format!("state/domains/{}", a.uuid()));
    let elsewhere = root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("others"), "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &domain).unwrap();
    store.save(&a).await.unwrap();
    fs::write(store.checkpoint(a.uuid()), "memory").unwrap();
    assert_eq!(loaded(&store).await, ["a"]);
    store.remove(a.uuid()).await.unwrap();
    assert!(fs::symlink_metadata(&domain).is_err());
    let left: Vec<_> = fs::read_dir(&elsewhere).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["others"]);
}

/// They are read on several threads, each of which sets aside what is damaged.
#[tokio::test]
async fn all_of_many_definitions_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut expected = Vec::new();
    for number in 1..=300 {
        let name = format!("d{number:03}");
        let domain = dir.path().join("domains").join(Uuid::from_u128(number).to_string());
        fs::create_dir(&domain).unwrap();
        let text = if number % 100 == 0 {
            "(domain".to_owned()
        } else {
            stored_config(&config(&name, number)).to_string()
        };
        fs::write(domain.join(CONFIG), text).unwrap();
        expected.extend((number % 100 != 0).then_some(name));
    }
    assert_eq!(loaded(&store).await, expected);
    assert_eq!(loaded(&store).await, expected);
}

#[tokio::test]
async fn a_directory_that_was_removed_or_replaced_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let [dir, aside] = ["state", "aside"].map(|name| root.path().join(name));
    let store = open(&dir);
    let a = config("a", 1);
    store.save(&a).await.unwrap();
    let refusals = async || {
        let object = image(5, true);
        let draft = store.draft(&store.checkpoint(a.uuid()), &a, true).await.map(drop);
        [
            store.check().await,
            store.save(&config("b", 2)).await,
            store.remove(a.uuid()).await,
            store.discard(&store.checkpoint(a.uuid())).await,
            draft,
            store.record_arrival(a.uuid(), None).await,
            store.save_vnets(Vec::new()).await,
            store.save_object(&object).await,
            store.remove_object(object.uuid).await,
            store.begin_image(object.uuid, 4096).await,
        ]
        .map(|done| done.unwrap_err().to_string())
    };
    fs::rename(&dir, &aside).unwrap();
    for said in refusals().await {
        let text = format!(": {} was removed while xend runs, put the old", dir.display());
        assert!(said.contains(&text), "{said}");
    }
    assert!(!dir.exists());
    fs::create_dir(&dir).unwrap();
    for said in refusals().await {
        assert!(said.contains(&format!(": {} was replaced ", dir.display())), "{said}");
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    fs::remove_dir(&dir).unwrap();
    fs::rename(&aside, &dir).unwrap();
    store.check().await.unwrap();
    // One of those in it alone.
    fs::remove_dir(dir.join("objects")).unwrap();
    let said = store.check().await.unwrap_err().to_string();
    let objects = dir.join("objects");
    assert!(said.contains(&format!(": {} was removed ", objects.display())), "{said}");
    assert_eq!(loaded(&store).await, ["a"]);
    assert!(!objects.exists());
}

#[tokio::test]
async fn damaged_definitions_are_set_aside_and_the_others_are_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.save(&config("a", 1)).await.unwrap();
    let other = dir.path().join("domains/00000000-0000-0000-0000-000000000002");
    for (n, text) in [
        "",
        "(domain (name b)",
        "(vm (name b))",
        "(domain (name a) (memory 64) (uuid 00000000-0000-0000-0000-000000000001))",
        "\u{0}\u{0}",
    ]
    .iter()
    .enumerate()
    {
        durable::create_dir(&other).unwrap();
        fs::write(other.join(CONFIG), text).unwrap();
        fs::write(other.join(".new-x"), "half").unwrap();
        assert_eq!(loaded(&store).await, ["a"], "{text}");
        let asides: Vec<_> = state_file::entries(&other).unwrap();
        assert!(asides.iter().all(|path| path.to_str().unwrap().contains("config.sxp.damaged-")));
        let mut texts = asides.iter().map(|path| fs::read_to_string(path).unwrap());
        assert!(texts.any(|one| one == *text) && asides.len() == n + 1, "{asides:?}");
        assert!(!other.join(".new-x").exists() && !other.join(CONFIG).exists());
    }
    // Other directories are ignored.
    fs::create_dir(dir.path().join("domains/lost+found")).unwrap();
    fs::create_dir(dir.path().join("domains/00000000-0000-0000-0000-000000000003")).unwrap();
    assert_eq!(loaded(&store).await, ["a"]);
}

#[tokio::test]
async fn a_directory_of_a_real_xend_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let put = |uuid: &str, text: &str| {
        let dir = dir.path().join("domains").join(uuid);
        durable::create_dir(&dir).unwrap();
        fs::write(dir.join(CONFIG), text).unwrap();
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/store");
    put(
        "00000000-0000-0000-0000-000000000000",
        "(domain (domid 0) (on_crash restart) (name Domain-0))",
    );
    put(
        "11111111-2222-3333-4444-555555550030",
        &fs::read_to_string(fixtures.join("xend-4.1-pv.sxp")).unwrap(),
    );
    let all = store.load().await.unwrap();
    let [one] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((one.config.name.as_str(), one.config.vcpus, one.config.maxmem), ("man1", 3, 512));
    assert_eq!(
        one.config.devices.iter().map(|d| (d.class(), d.id())).collect::<Vec<_>>(),
        [("vif", Some(0)), ("console", Some(0)), ("vbd", Some(2049))]
    );
    assert!(one.config.devices.iter().all(|device| device.uuid().is_some()));
    assert!(dir.path().join("domains/00000000-0000-0000-0000-000000000000").join(CONFIG).exists());
}

#[tokio::test]
async fn a_saved_domain_appears_when_it_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let path = dir.path().join("a.save");
    let draft = store.draft(&path, &config("a", 1), true).await.unwrap();
    fs::File::from(draft.stream().unwrap()).write_all(b"memory").unwrap();
    assert!(!path.exists());
    drop(draft);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");

    let draft = store.draft(&path, &config("a", 1), true).await.unwrap();
    fs::File::from(draft.stream().unwrap()).write_all(b"memory").unwrap();
    draft.commit().await.unwrap();
    let (back, rest) = store.open(&path).await.unwrap();
    let mut memory = String::new();
    fs::File::from(rest).read_to_string(&mut memory).unwrap();
    assert_eq!((back, memory.as_str()), (config("a", 1), "memory"));

    let kept = store.draft(&path, &config("a", 1), false).await.err().unwrap().to_string();
    assert!(kept.contains("a.save exists: "), "{kept}");
    let other = dir.path().join("b.save");
    store.draft(&other, &config("a", 1), false).await.unwrap().commit().await.unwrap();
    assert!(other.exists());
}

#[tokio::test]
async fn a_damaged_header_is_refused_or_known_to_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let good = save_file::header(&config("a", 1));
    for n in 0..good.len() {
        assert!(save_file::read_header(&good[..n]).is_err());
        let mut damaged = good.clone();
        damaged[n] ^= 0x20;
        let read = save_file::read_header(damaged.as_slice());
        assert!(read.map_or(true, |header| !header.intact), "{n}");
    }
    assert!(save_file::read_header(good.as_slice()).unwrap().intact);
    let path = dir.path().join("f");
    let mut file = fs::File::create(&path).unwrap();
    let mut message = async |text: &[u8]| {
        file.set_len(0).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(text).unwrap();
        store.open(&path).await.unwrap_err().to_string()
    };
    assert!(message(b"").await.ends_with("f: Not a saved domain: it ends too early"));
    assert!(message(&[b'x'; 100]).await.ends_with("the signature is missing"));
    let mut old = b"LinuxGuestRecord\0\0\0\x09(vm (a))\n".to_vec();
    old.extend([0; 100]);
    assert!(message(&old).await.contains("another xend"));
    assert!(
        store
            .open(Path::new("/nosuch/x"))
            .await
            .unwrap_err()
            .to_string()
            .ends_with("does not exist")
    );
    assert!(store.open(dir.path()).await.unwrap_err().to_string().ends_with("is not a file"));
    for (path, end) in [
        ("x", "is not an absolute path"),
        ("/nosuch/x", "does not exist"),
        ("/dev/null", "is not a file"),
    ] {
        let refused =
            store.draft(Path::new(path), &config("a", 1), true).await.err().unwrap().to_string();
        assert!(refused.ends_with(end), "{refused}");
    }
}

#[tokio::test]
async fn a_save_goes_through_a_link_to_a_missing_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("file", &link).unwrap();
    store.draft(&link, &config("a", 1), true).await.unwrap().commit().await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(dir.path().join("file").is_file());
}

fn image(uuid: u128, own: bool) -> Item {
    let size = 1 << 30;
    let location = "file:/somewhere".into();
    let vdi = Vdi { location, size, kind: VdiKind::User, own, sharable: false, read_only: false };
    Item {
        uuid: Uuid::from_u128(uuid),
        kind: ObjectKind::Vdi(vdi),
        client_data: ClientData::default(),
    }
}

#[tokio::test]
async fn objects_and_images_survive_a_kill_at_any_step() {
    let dir = tempfile::tempdir().unwrap();
    let store = || open(dir.path());
    let made = image(1, true);
    let half = image(2, true);
    let gone = Uuid::from_u128(3);
    store().begin_image(made.uuid, 1 << 30).await.unwrap();
    store().save_object(&made).await.unwrap();
    store().finish_image(made.uuid).await.unwrap();
    store().finish_image(made.uuid).await.unwrap();
    // Killed after the object was stored and before the image was finished; before the object was
    // stored; and while the image was removed.
    store().begin_image(half.uuid, 4096).await.unwrap();
    store().save_object(&half).await.unwrap();
    store().begin_image(gone, 4096).await.unwrap();
    let items = store().items().await.unwrap();
    assert_eq!(items.len(), 2);
    let known: Vec<Uuid> = items.iter().map(|item| item.uuid).collect();
    store().recover_images(&known).await.unwrap();
    assert!(store().image(made.uuid).exists() && store().image(half.uuid).exists());
    assert!(!store().image(gone).exists());
    store().withdraw_image(half.uuid).await.unwrap();
    store().recover_images(&known).await.unwrap();
    assert!(store().image(half.uuid).exists());
    store().withdraw_image(half.uuid).await.unwrap();
    store().remove_object(half.uuid).await.unwrap();
    store().recover_images(&[made.uuid]).await.unwrap();
    let names = fs::read_dir(dir.path().join("storage")).unwrap().count();
    assert_eq!((names, store().items().await.unwrap()), (1, vec![made]));
}

#[tokio::test]
async fn a_pipe_in_the_place_of_an_image_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let uuid = Uuid::from_u128(1);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, store.image(uuid), kind, 0o600.into(), 0).unwrap();
    store.grow_image(uuid, 4096).await.unwrap_err();
    let copied =
        store.copy_image(Uuid::from_u128(2), 4096, &store.image(uuid), Box::new(|_| ())).await;
    copied.unwrap_err();
}

#[tokio::test]
async fn images_are_sparse_and_so_are_their_copies() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = Uuid::from_u128(1);
    let second = Uuid::from_u128(2);
    store.begin_image(first, 1 << 30).await.unwrap();
    store.finish_image(first).await.unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(store.image(first)).unwrap();
    file.seek(SeekFrom::Start(512 << 20)).unwrap();
    file.write_all(b"data").unwrap();
    file.sync_all().unwrap();
    store.grow_image(first, 2 << 30).await.unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let copied = told.clone();
    let copied = Box::new(move |bytes| {
        copied.fetch_add(bytes, Ordering::Relaxed);
    });
    store.copy_image(second, 2 << 30, &store.image(first), copied).await.unwrap();
    let told = told.load(Ordering::Relaxed);
    assert!((4..1 << 20).contains(&told), "{told}");
    store.finish_image(second).await.unwrap();
    for uuid in [first, second] {
        let extent = store.extents(vec![store.image(uuid)]).await[0].unwrap();
        assert_eq!(extent.size, 2 << 30);
        assert!(extent.used < 1 << 20, "{extent:?}");
        let mut file = fs::File::open(store.image(uuid)).unwrap();
        let mut text = [0; 5];
        file.seek(SeekFrom::Start(512 << 20)).unwrap();
        file.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"data\0");
    }
    assert!(store.storage().await.unwrap().used < 2 << 20);
    assert_eq!(store.extents(vec!["/nonexistent".into()]).await, [None]);
}
