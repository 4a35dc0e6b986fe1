//! Nothing about domains of others is in any answer to a user: no name, UUID, domid, disk, bridge,
//! address, and not where other callers come from.

use crate::rights_support::{
    Stage, Subject, World, caller_with, config_text, device, operator, parsed, rights,
};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xend::core::caller::{Caller, Via};
use xend::core::error::Error;
use xend::core::model::{
    ClientData, ClientValue, DomainConfig, DomainRef, Network, Scheduler, Span, StorePath, Uuid,
    Vdi, VdiKind,
};
use xend::core::op::{Change, DomainOp, ImageContent, NetworkOp};
use xend::core::ports::Entropy as _;
use xend::core::rights::{Access, OpKind, Right, Rights};
use xend::core::view::View;
use xend::os::OsEntropy;
use xend::shape::read_config;

/// The parts of what others have that occur nowhere else.
const BRIDGE: &str = "SECRETbr0";
const MAC: &str = "00:16:3e:5e:c4:e7";
const BOB_AT: &str = "198.51.100.66";
const OPERATOR_AT: &str = "198.51.100.67";

/// A host on which bob and the operator are busy, and steve has a domain.
pub(crate) struct Busy {
    pub(crate) world: World,
    pub(crate) own: Subject,
    /// bob's domain.
    hidden: Subject,
    /// The UUIDs of bob's disk image and of his network.
    objects: [Uuid; 2],
}

impl Busy {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let own = world.add("own", Stage::Running, &world.files()).await;
        let objects = [OsEntropy.uuid(), OsEntropy.uuid()];
        let vdi = Vdi {
            location: "phy:/dev/SECRET/disk".into(),
            size: 1 << 30,
            kind: VdiKind::User,
            own: false,
            sharable: false,
            read_only: false,
        };
        let mut client_data = ClientData::default();
        let label = ClientValue::Text("SECRET label".to_owned());
        client_data.set("name_label", Some(label)).unwrap();
        let network = Network::new(BRIDGE).unwrap();
        for change in [
            Change::CreateVdi {
                uuid: objects[0],
                vdi: Box::new(vdi),
                client_data: client_data.clone(),
                content: ImageContent::Empty,
            },
            Change::Network(NetworkOp::Create { uuid: objects[1], network, client_data }),
        ] {
            world.execute(change).await.unwrap();
        }
        let mut hidden = Subject::missing("SECRET-bob", &world.foreign_files());
        let config = hidden_config(objects[0]);
        hidden.uuid = config.uuid.unwrap();
        world.define(config).await;
        let access = Access::to(["SECRET*".parse().unwrap()], Rights::all());
        let bob = caller_with("SECRET-user-bob", &format!("{BOB_AT}:6666"), access);
        let Via::Tcp { local, .. } = operator().via else { panic!() };
        let peer = format!("{OPERATOR_AT}:6667").parse().unwrap();
        let root = Caller::operator(Via::Tcp { peer, local, encrypted: false });
        let busy = Self { world, own, hidden, objects };
        let start = DomainOp::Start { paused: false };
        busy.on(&bob, "SECRET-bob", start).await.unwrap();
        let save = DomainOp::Save { file: "/SECRET/file".into(), checkpoint: false, replace: true };
        busy.on(&bob, "SECRET-bob", save.clone()).await.unwrap_err();
        // The operator works on steve's domain, too, with and without success.
        busy.on(&root, "own", DomainOp::Pause).await.unwrap();
        busy.on(&root, "own", DomainOp::Unpause).await.unwrap();
        busy.on(&root, "own", save).await.unwrap_err();
        let access = Access::to(["own".parse().unwrap()], Rights::all());
        let other = caller_with("SECRET-user-carol", &format!("{BOB_AT}:6668"), access);
        busy.on(&other, "own", DomainOp::Pause).await.unwrap();
        busy.on(&other, "own", DomainOp::Unpause).await.unwrap();
        let view = busy.world.find("SECRET-bob").await.unwrap();
        let hidden = Subject { domid: view.domid().unwrap().0, ..busy.hidden };
        // Two rounds of samples.
        tokio::time::sleep(Duration::from_secs(7)).await;
        Self { hidden, ..busy }
    }

    async fn on(&self, caller: &Caller, name: &str, op: DomainOp) -> Result<(), Error> {
        let change = Change::Domain(DomainRef::new(name), op);
        self.world.engine.execute(caller, change).await.map(drop)
    }

    /// Fails if a text has a part of what others have. `facts` allows facts about the host.
    pub(crate) fn check(&self, text: &str, facts: bool, case: &str) {
        let uuids = [self.hidden.uuid, self.objects[0], self.objects[1]].map(|id| id.to_string());
        let domid = format!("DomId({})", self.hidden.domid);
        let secrets = ["SECRET", MAC, BOB_AT, OPERATOR_AT, &domid];
        let secrets = secrets.into_iter().chain(uuids.iter().map(String::as_str));
        // A bridge is one of the host's interfaces, and its network an object of the host.
        let plain = if facts {
            text.replace(BRIDGE, "").replace("SECRET label", "").replace(&uuids[2], "")
        } else {
            text.to_owned()
        };
        for secret in secrets {
            assert!(!plain.contains(secret), "{case} shows {secret}: {text}");
        }
    }
}

/// bob's domain: each part of it is unmistakable.
fn hidden_config(image: Uuid) -> DomainConfig {
    let text = config_text("SECRET-bob")
        .replace("/boot/guests/vmlinuz", "/boot/SECRET/vmlinuz")
        .replace("phy:/dev/vg0/SECRET-bob)", &format!("phy:/dev/SECRET/disk) (VDI {image})"))
        .replace("(bridge xenbr0)", &format!("(bridge {BRIDGE}) (mac {MAC}) (ip SECRET)"))
        .replacen(
            "(vcpus 2)",
            "(vcpus 2) (description SECRET) \
             (device (pci (dev (bus 0x3) (slot 0x0) (func 0x0))))",
            1,
        );
    let mut config = read_config(&parsed(&text)).unwrap();
    config.uuid = Some(OsEntropy.uuid());
    config
}

fn shown<T: Debug>(answer: T) -> String {
    format!("{answer:?}")
}

/// What every read answers, by its name in [`View`].
async fn everything(view: &View, busy: &Busy) -> Vec<(&'static str, String)> {
    let own = DomainRef::new(&*busy.own.name);
    let node = StorePath::new("data").unwrap();
    let domain = view.snapshot().find(&own).cloned();
    let uuids = [busy.own.uuid, busy.hidden.uuid];
    let disks = ["/dev/SECRET/disk", "/etc/hostname"].map(PathBuf::from);
    let listed = |snapshot: &xend::core::snapshot::Snapshot| {
        let all = snapshot.domains().map(shown).collect::<Vec<_>>().concat();
        let found = uuids.map(|uuid| snapshot.by_uuid(&uuid).cloned());
        format!("{all} {found:?} {} {:?}", snapshot.len(), snapshot.figures)
    };
    vec![
        ("caller", shown(view.caller())),
        ("may", shown(OpKind::ALL.iter().map(|kind| view.may(*kind)).collect::<Vec<_>>())),
        ("may_on", shown(domain.as_ref().map(|domain| view.may_on(OpKind::Pause, domain)))),
        ("require", shown(view.require(OpKind::ReadLog, "log"))),
        ("metrics", shown(view.metrics())),
        ("reasons_against_service", shown(view.reasons_against_service().await)),
        ("require_on", shown(domain.as_ref().map(|on| view.require_on(OpKind::Pin, "pin", on)))),
        ("rights_on", shown(domain.as_ref().map(|domain| view.rights_on(domain)))),
        ("domains", listed(&view.domains().await.unwrap())),
        ("domain", shown(view.domain(&own).await)),
        ("domains_with", listed(&*view.domains_with(busy.hidden.uuid).await)),
        ("snapshot", listed(&view.snapshot())),
        ("vcpus", shown(view.vcpus(&own).await)),
        ("devices", shown(view.devices(&own, "vif").await)),
        ("disks", shown(view.disks(&own).await)),
        ("all_devices", shown(view.all_devices(&own).await)),
        ("wait_for_devices", shown(view.wait_for_devices(&own).await)),
        ("console", shown(view.console(&own).await)),
        ("screen_address", shown(view.screen_address(&own))),
        ("open_screen", shown(view.open_screen(&own).await.map(drop))),
        ("open_console", shown(view.open_console(&own).await.map(|console| console.recent))),
        ("store_node", shown(view.store_node(&own, &node).await)),
        ("store_tree", shown(view.store_tree(&own, &node).await)),
        ("sedf", shown(view.sedf(&own).await)),
        ("scheduler", shown(view.scheduler(&own).await)),
        ("sched", shown(view.sched(&own, Scheduler::Credit).await)),
        ("saved_config", shown(view.saved_config(&busy.world.files().join("none")).await)),
        ("saved_domain", shown(view.saved_domain(&busy.world.files().join("none")).await)),
        ("may_have_disk", shown(view.may_have_disk(&disks[0]))),
        ("is_image_taken", shown(view.is_image_taken(&Uuid::nil()))),
        ("allowed_bridges", shown(view.allowed_bridges())),
        ("events_after", shown(view.events_after(0, usize::MAX))),
        ("domain_of_events", shown(view.domain_of_events(&own))),
        ("history", shown(uuids.map(|uuid| view.history(&uuid)))),
        ("last_samples", shown(view.last_samples())),
        ("samples", shown(view.samples(&busy.own.uuid))),
        ("usage", shown(view.usage(&own, Span::Day).await)),
        // Domains of a fleet are looked at in `http_fleet.rs`.
        ("fleet", shown(view.fleet().await)),
        // These name hosts alone: `fleet_migrate_by_name.rs`, `fleet_route.rs`, `fleet_placed.rs`.
        ("destinations", shown(view.destinations().await)),
        ("hosts_of", shown(view.hosts_of(&own).await)),
        ("host_for", shown(view.host_for(&hidden_config(Uuid::nil())).await)),
        ("evacuation", shown(view.evacuation().await)),
        ("host_usage", shown(view.host_usage(Span::Day).await)),
        ("host", shown(view.host().await)),
        ("load", shown(view.load().await)),
        ("dmesg", shown(view.dmesg().await)),
        ("hardware", shown(view.hardware().await)),
        ("interfaces", shown(view.interfaces().await)),
        ("pools", shown(view.pools().await)),
        ("storage", shown(view.storage().await)),
        ("extents", shown(view.extents(&disks).await)),
        ("disk_facts", shown(view.disk_facts(&disks).await)),
        ("saved_dirs", shown(view.saved_dirs())),
        ("saved_files", shown(view.saved_files().await)),
        ("accounts", shown(view.accounts())),
        ("image_path", shown(view.image_path(Uuid::nil()))),
        ("vnets", shown(view.vnets().await)),
        ("vnet", shown(view.vnet(World::VNET).await)),
        ("inventory", shown(view.inventory())),
    ]
}

/// Methods that show nothing of a domain: counters that only wake readers, and what wires need of
/// the host and show to those who may see it.
const PLAIN: [&str; 15] = [
    "access_changes",
    // Another host checks the rights itself.
    "ask_host",
    // Operators alone are told.
    "check_peer",
    "domain_changes",
    "event_numbers",
    "fleet_host",
    "generations",
    "has_fleet",
    "host_info",
    "inventory_generations",
    "is_host_enabled",
    "journal_volume",
    "own_host",
    "policy",
    "sample_rounds",
];

#[tokio::test(start_paused = true)]
async fn no_read_shows_anything_of_others() {
    let busy = Busy::new().await;
    let plain = busy.world.user(&["own"], all_without_host());
    for (read, text) in everything(&busy.world.engine.view(&plain), &busy).await {
        busy.check(&text, false, read);
    }
    // A user who may read the host sees no domain more.
    let host = busy.world.user(&["own"], Rights::all());
    for (read, text) in everything(&busy.world.engine.view(&host), &busy).await {
        busy.check(&text, true, read);
    }
    // The test would find them: the operator sees them.
    let mut found = String::new();
    for (_, text) in everything(&busy.world.engine.view(&operator()), &busy).await {
        found += &text;
    }
    let uuid = busy.hidden.uuid.to_string();
    for secret in ["SECRET-bob", "SECRET-user-bob", "SECRET label", BOB_AT, OPERATOR_AT, &uuid] {
        assert!(found.contains(secret), "{secret}");
    }
}

pub(crate) fn all_without_host() -> Rights {
    rights(Right::ALL.into_iter().filter(|right| *right != Right::HostFacts))
}

/// Which of these are known.
fn known<T>(facts: &[Option<T>]) -> Vec<bool> {
    facts.iter().map(Option::is_some).collect()
}

/// A user learns sizes of the disks of own domains, and whether these exist.
#[tokio::test(start_paused = true)]
async fn sizes_are_those_of_own_disks() {
    let busy = Busy::new().await;
    let [own, other] = ["own", "other"].map(|name| busy.world.dir.path().join(name));
    for file in [&own, &other] {
        std::fs::write(file, "data").unwrap();
    }
    let disk = device(&format!("(vbd (uname file:{}) (dev xvdz) (mode r))", own.display()));
    busy.on(&operator(), "own", DomainOp::AttachDevice(Box::new(disk))).await.unwrap();
    let steve = busy.world.user(&["own"], Rights::all());
    let paths = [own, other];
    let sizes = async |caller: &Caller| {
        known(&busy.world.engine.view(caller).extents(&paths).await.unwrap())
    };
    assert_eq!((sizes(&steve).await, sizes(&operator()).await), (vec![true, false], vec![true; 2]));
    let view = |caller: &Caller| busy.world.engine.view(caller);
    let facts = async |caller: &Caller| known(&view(caller).disk_facts(&paths).await.unwrap());
    assert_eq!((facts(&steve).await, facts(&operator()).await), (vec![true, false], vec![true; 2]));
}

/// Every method of `View` is a read above, or one of the plain ones.
#[tokio::test(start_paused = true)]
async fn every_read_is_looked_at() {
    let busy = Busy::new().await;
    let reads = everything(&busy.world.engine.view(&operator()), &busy).await;
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core");
    let parts = std::fs::read_dir(core.join("view")).unwrap();
    let files = parts.map(|part| part.unwrap().path()).chain([core.join("view.rs")]);
    let source: String = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let mut count = 0;
    for line in source.lines().map(str::trim_start) {
        let name = line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn "));
        let Some(method) = name.and_then(|name| name.split('(').next()) else { continue };
        let read = reads.iter().any(|(read, _)| *read == method);
        assert!(read || PLAIN.contains(&method), "{method} is not looked at");
        count += 1;
    }
    assert_eq!(count, reads.len() + PLAIN.len());
}

/// The events of a domain of the user say that somebody else acted, not who and from where.
#[tokio::test(start_paused = true)]
async fn events_show_own_operations_and_that_others_acted() {
    let busy = Busy::new().await;
    let steve = busy.world.user(&["own"], Rights::all());
    busy.on(&steve, "own", DomainOp::Pause).await.unwrap();
    busy.on(&steve, "own", DomainOp::Unpause).await.unwrap();
    busy.on(&steve, "own", DomainOp::Start { paused: false }).await.unwrap_err();
    // A refusal is no event: nobody can push those of others out of the journal.
    let refused = DomainOp::Save { file: "/elsewhere".into(), checkpoint: false, replace: true };
    busy.on(&steve, "own", refused).await.unwrap_err();
    let events = shown(busy.world.engine.view(&steve).events_after(0, usize::MAX));
    for wanted in ["an operator", "another user", "steve at 192.0.2.7:4713", "Cannot start"] {
        assert!(events.contains(wanted), "{wanted}: {events}");
    }
    assert!(!events.contains("/elsewhere"), "{events}");
    assert!(events.contains("refused or failed"), "{events}");
    busy.check(&events, false, "events");
    // bob learns nothing of steve.
    let access = Access::to(["SECRET*".parse().unwrap()], Rights::all());
    let bob = caller_with("SECRET-user-bob", "198.51.100.66:6666", access);
    let events = shown(busy.world.engine.view(&bob).events_after(0, usize::MAX));
    assert!(events.contains("SECRET-user-bob at 198.51.100.66:6666"), "{events}");
    assert!(!events.contains("steve") && !events.contains("own"), "{events}");
}

/// A domain that another user has in the way is in the way without a name.
#[tokio::test(start_paused = true)]
async fn errors_name_no_domain_of_others() {
    let busy = Busy::new().await;
    let steve = busy.world.user(&["own*"], all_without_host());
    // The operator gave the PCI function to both.
    let text = config_text("own-pci").replacen(
        "(vcpus 2)",
        "(vcpus 2) (device (pci (dev (bus 0x3) (slot 0x0) (func 0x0))))",
        1,
    );
    busy.world.define(read_config(&parsed(&text)).unwrap()).await;
    let start = || DomainOp::Start { paused: true };
    let error = busy.on(&steve, "own-pci", start()).await.unwrap_err().to_string();
    assert!(error.contains("0000:03:00.0"), "{error}");
    busy.check(&error, false, "start");
    let error = busy.on(&operator(), "own-pci", start()).await.unwrap_err().to_string();
    assert!(error.ends_with("0000:03:00.0 is handed through to SECRET-bob already"), "{error}");
    // The free memory is a fact about the host.
    let huge = DomainOp::SetMaxMemory(1 << 20);
    let _ = busy.on(&steve, "own", huge).await;
    let error = busy.on(&steve, "own", DomainOp::SetMemory(1 << 19)).await.unwrap_err();
    assert!(!error.to_string().contains("free and"), "{error}");
    assert!(!error.to_string().contains("are free"), "{error}");
    // Names, domids and UUIDs of others, as names of the user's own.
    let wide = busy.world.user(&["own*", "9*", "1*", "2*"], Rights::all());
    let as_domid =
        DomainOp::Rename(xend::core::model::DomName::new(&busy.hidden.domid.to_string()).unwrap());
    let error = busy.on(&wide, "own", as_domid).await.unwrap_err().to_string();
    busy.check(&error, false, "rename to a domid");
    let disk = "(vbd (uname phy:/dev/SECRET/disk) (dev xvdz) (mode w))";
    let attach = DomainOp::AttachDevice(Box::new(device(disk)));
    let error = busy.on(&steve, "own", attach).await.unwrap_err().to_string();
    assert_eq!(error, "Not allowed: vbd uname: phy:/dev/SECRET/disk is in no place of the account");
}
