//! The rights of every change and every read, asked of the engine itself.
//!
//! [`ask`] and the table of `rights_table.rs` match on the kind without a default: a new kind does
//! not compile until it has its rows.

use crate::failing_sender::FailingSender;
use crate::rights_support::{
    NamedBy, Stage, Subject, World, all_but, caller_with, device, host_with_subjects, nobody,
    operator, rights, subject_in, vdi_at,
};
use crate::rights_table::row;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use xend::core::caller::Caller;
use xend::core::error::{Error, ErrorKind};
use xend::core::model::{
    ClientData, ClientDataChange, ClientValue, CpuSet, Device, DomName, DomainRef, InterfaceChange,
    Password, Pool, PoolFacts, Scheduler, SedfParams, Setting, ShutdownReason, Span, StorePath,
    Trigger, Uuid, VdiSetting, Vnet,
};
use xend::core::op::{
    AfterDump, Arrival, Change, Content, DeviceRef, DomainOp, GuestOp, ImageContent, NetworkOp,
    Once, PoolOp, StoreOp,
};
use xend::core::ports::{Destination, Entropy as _, MigratedDomain, Store as _};
use xend::core::rights::{
    Access, Account, Accounts, Credential, Grant, Need, OpKind, Right, Rights,
};
use xend::core::view::NotPlaced;
use xend::os::OsEntropy;

/// The answer to a change or a read, as text.
type Answer = Result<String, Error>;

fn new_pool(name: String) -> Pool {
    let cpus = CpuSet::default();
    Pool { name, scheduler: Scheduler::Credit, cpus, ncpu: 1, auto_start: false }
}

/// A domain that another host sends, and that does not get through.
fn arrival(subject: &Subject) -> Arrival {
    let id = OsEntropy.uuid();
    let config = subject.completed();
    let migrated = MigratedDomain { id, config, definition: None };
    Arrival { migrated, link: Once::new(Box::new(FailingSender)) }
}

/// The disk of the subject, read-only.
fn read_only_disk(subject: &Subject) -> Box<Device> {
    let text = format!("(vbd (uname phy:/dev/vg0/{}) (dev xvda) (mode r))", subject.name);
    let mut disk = device(&text);
    *disk.uuid_mut() = Some(subject.disk);
    Box::new(disk)
}

/// Restores the domain from its file; from an empty one if it has none.
async fn restore_from(world: &World, subject: &Subject) -> DomainOp {
    let (config, stream) = match world.store.open(&subject.file).await {
        Ok((config, stream)) => (Arc::new(config), stream),
        Err(_) => (subject.completed(), std::fs::File::open("/dev/null").unwrap().into()),
    };
    DomainOp::RestoreFrom { config, stream: Once::new(stream), paused: true }
}

/// Asks for a change or a read of this kind about the subject.
#[allow(clippy::too_many_lines, reason = "one table")]
async fn ask(
    world: &World,
    caller: &Caller,
    kind: OpKind,
    subject: &Subject,
    by: NamedBy,
) -> Answer {
    let view = world.engine.view(caller);
    let domain = DomainRef::new(subject.named(by));
    let name = subject.name.as_str();
    let uuid = OsEntropy.uuid();
    let unused = format!("n{}", uuid.simple());
    let client_data = ClientData::default();
    let new_file = || world.files().join(name);
    let on = |op| Change::Domain(domain.clone(), op);
    let limit = Duration::from_secs(30);
    let in_guest = |op| Change::Guest { domain: domain.clone(), op, limit };
    let content = || Content(b"seen".to_vec());
    let node = StorePath::new("vm-data/seen").unwrap();
    let change = match kind {
        OpKind::CreateDomain => Change::Create(Box::new(subject.config())),
        OpKind::DefineDomain => Change::Define(Box::new(subject.config())),
        OpKind::StartFromFile => Change::StartFromFile(Box::new(subject.config())),
        OpKind::RemoveSaved => Change::RemoveSaved(subject.file.clone()),
        OpKind::RestoreDomain => Change::Restore { file: subject.file.clone(), paused: true },
        OpKind::ReceiveDomain => Change::Receive(arrival(subject)),
        OpKind::SettleMigration => Change::Settle(uuid),
        OpKind::CreateVdi => {
            let vdi = Box::new(vdi_at(&format!("phy:/dev/vg0/{name}-new")));
            Change::CreateVdi { uuid, vdi, client_data, content: ImageContent::Empty }
        }
        OpKind::SetVdi => Change::SetVdi(subject.vdi, VdiSetting::Sharable(true)),
        OpKind::DestroyVdi => Change::DestroyVdi(subject.vdi),
        OpKind::CreatePbd => Change::CreatePbd { uuid, client_data },
        OpKind::DestroyPbd => Change::DestroyPbd(subject.pbd),
        OpKind::ChangeNetwork => Change::Network(NetworkOp::Interface(InterfaceChange::Adjust {
            name: "eth0".to_owned(),
            mac: None,
            mtu: Some(1400),
        })),
        OpKind::ChangePool => {
            let pool = new_pool(unused.clone());
            Change::Pool(unused, PoolOp::Define { uuid, pool, client_data })
        }
        OpKind::SetClientData => {
            let value = ClientValue::Text("seen".to_owned());
            Change::SetClientData(
                subject.vdi,
                ClientDataChange::Field("note".to_owned(), Some(value)),
            )
        }
        OpKind::ClearDmesg => Change::ClearDmesg,
        OpKind::DebugKeys => Change::DebugKeys("h".to_owned()),
        OpKind::PowerHost => Change::PowerHost { reboot: true },
        OpKind::PlanAbsence => Change::ComeBack,
        OpKind::CreateVnet => Change::CreateVnet(Vnet { id: unused, rest: vec![] }),
        OpKind::DeleteVnet => Change::DeleteVnet(subject.vnet()),

        OpKind::Cancel => Change::Cancel(domain.clone()),
        OpKind::Pause => on(DomainOp::Pause),
        OpKind::Unpause => on(DomainOp::Unpause),
        OpKind::Destroy => on(DomainOp::Destroy),
        OpKind::Shutdown => on(DomainOp::Shutdown(ShutdownReason::Poweroff)),
        OpKind::Rename => on(DomainOp::Rename(DomName::new(&format!("{name}-new")).unwrap())),
        OpKind::SetSedf => on(DomainOp::SetSedf(SedfParams {
            period: Duration::from_millis(20),
            slice: Duration::from_millis(5),
            latency: Duration::ZERO,
            extratime: false,
            weight: 0,
        })),
        OpKind::SetShare => {
            let scheduler = Scheduler::Credit;
            on(DomainOp::SetShare { scheduler, weight: Some(300), cap: None })
        }
        OpKind::SetMemory => on(DomainOp::SetMemory(128)),
        OpKind::SetMaxMemory => on(DomainOp::SetMaxMemory(512)),
        OpKind::SetVcpus => on(DomainOp::SetVcpus(1)),
        OpKind::Pin => on(DomainOp::Pin { vcpu: None, cpus: CpuSet::first(1) }),
        OpKind::MoveToPool => on(DomainOp::MoveToPool(PoolFacts::FIRST.to_owned())),
        OpKind::Sysrq => on(DomainOp::Sysrq(b's')),
        OpKind::Trigger => on(DomainOp::Trigger(Trigger::Nmi, 0)),
        OpKind::Reset => on(DomainOp::Reset),
        OpKind::Start => on(DomainOp::Start { paused: false }),
        OpKind::CreateFrom => on(DomainOp::CreateFrom(subject.completed())),
        OpKind::Redefine => on(DomainOp::Define(subject.completed())),
        OpKind::Delete => on(DomainOp::Delete),
        OpKind::Set => on(DomainOp::Set(Setting::Description("seen".into()))),
        OpKind::SetResources => on(DomainOp::Set(Setting::Vcpus(1))),
        OpKind::SetDevice => on(DomainOp::Set(Setting::Device(read_only_disk(subject)))),
        OpKind::Suspend => on(DomainOp::Suspend),
        OpKind::Resume => on(DomainOp::Resume { paused: true }),
        OpKind::SaveToFile => {
            on(DomainOp::Save { file: new_file(), checkpoint: false, replace: true })
        }
        OpKind::RestoreFrom => on(restore_from(world, subject).await),
        OpKind::Migrate => {
            let to = Destination {
                host: "127.0.0.1".to_owned(),
                port: 8002,
                encrypted: false,
                member: None,
            };
            on(DomainOp::Migrate { to, live: false })
        }
        OpKind::Arrive => on(DomainOp::Arrive(arrival(subject))),
        OpKind::Dump => {
            let file = Some(new_file());
            on(DomainOp::Dump { file, live: false, then: AfterDump::GoOn })
        }
        OpKind::AttachDevice => {
            let disk = device(&format!("(vbd (uname phy:/dev/vg0/{name}-2) (dev xvdb) (mode w))"));
            on(DomainOp::AttachDevice(Box::new(disk)))
        }
        OpKind::PlugDevice => on(DomainOp::PlugDevice(subject.disk)),
        OpKind::ChangeMedium => on(DomainOp::ConfigureDevice {
            device: DeviceRef::parse("vbd", "hdc").unwrap(),
            to: Box::new(device("(vbd (uname file:/srv/cd.iso) (dev hdc:cdrom) (mode r))")),
        }),
        OpKind::ConfigureDevice => on(DomainOp::ConfigureDevice {
            device: DeviceRef::parse("vbd", "xvda").unwrap(),
            to: read_only_disk(subject),
        }),
        OpKind::DetachDevice => on(DomainOp::DetachDevice {
            class: "vif".to_owned(),
            device: DeviceRef::parse("vif", "0").unwrap(),
            force: false,
            forget: true,
        }),

        OpKind::AskGuestAgent => in_guest(GuestOp::AgentVersion),
        OpKind::SetGuestPassword => {
            let password = Password::new("seen".into()).unwrap();
            in_guest(GuestOp::SetPassword { user: "root".to_owned(), password })
        }
        OpKind::InjectGuestFile => {
            in_guest(GuestOp::InjectFile { path: "/etc/motd".to_owned(), content: content() })
        }
        OpKind::ResetGuestNetwork => {
            let host_name = Some("seen".to_owned());
            in_guest(GuestOp::ResetNetwork { interfaces: vec![], host_name })
        }
        OpKind::ChangeGuestStore => {
            Change::GuestStore(domain, StoreOp::Write { path: node, value: content() })
        }

        OpKind::ListDomains => {
            let all = view.domains().await?;
            let names: Vec<_> = all.domains().map(|domain| domain.name().to_string()).collect();
            return Ok(format!("{names:?} {:?}", all.figures));
        }
        OpKind::ShowDomain => return shown(view.domain(&domain).await),
        OpKind::ShowVcpus => return shown(view.vcpus(&domain).await),
        OpKind::ShowDevices => {
            let defined = shown(view.devices(&domain, "vbd").await)?;
            return Ok(defined + &shown(view.all_devices(&domain).await)?);
        }
        OpKind::ShowDisks => return shown(view.disks(&domain).await),
        OpKind::WaitForDevices => return shown(view.wait_for_devices(&domain).await),
        OpKind::ShowSedf => return shown(view.sedf(&domain).await),
        OpKind::ShowSched => return shown(view.sched(&domain, Scheduler::Credit).await),
        OpKind::ReadConsole => return shown(view.console(&domain).await),
        OpKind::UseConsole => {
            let console = view.open_console(&domain).await;
            return shown(console.map(|console| console.recent));
        }
        OpKind::UseScreen => {
            let address = shown(view.screen_address(&domain))?;
            return Ok(address + &shown(view.open_screen(&domain).await.map(drop))?);
        }
        OpKind::ReadSavedConfig => return shown(view.saved_config(&subject.file).await),
        OpKind::ReadEvents => {
            let events = view.events_after(0, usize::MAX).events;
            return Ok(format!("{events:?}"));
        }
        OpKind::ReadHistory => {
            let found = view.domain_of_events(&domain);
            return Ok(format!("{found:?} {:?}", view.history(&subject.uuid)));
        }
        OpKind::ReadSamples => {
            let last = view.last_samples().domains.get(&subject.uuid).copied();
            let known = format!("{last:?} {:?}", view.samples(&subject.uuid));
            // A domain that is not seen has no history.
            let history = view.usage(&domain, Span::Hour).await;
            return Ok(known + if history.is_ok() { " and a history" } else { "" });
        }
        OpKind::ReadGuestStore => {
            let value = shown(view.store_node(&domain, &node).await)?;
            return Ok(value + &shown(view.store_tree(&domain, &node).await)?);
        }
        OpKind::ReadInventory => {
            let all = view.inventory();
            let images: Vec<_> = all.vdis().map(|(item, _)| item).collect();
            return Ok(format!("{images:?} {:?}", all.get(&subject.vdi)));
        }
        OpKind::ShowHost => {
            let history = view.host_usage(Span::Day).await?;
            assert_eq!(history.span, Span::Day);
            return shown(view.host().await);
        }
        OpKind::ShowFleet => {
            assert!(!view.has_fleet());
            return shown(view.fleet().await);
        }
        OpKind::PlanEvacuation => match view.evacuation().await.unwrap_err() {
            // Whoever may ask is told so.
            NotPlaced::NoHost(reason) => return Ok(reason),
            NotPlaced::Failed(error) => return Err(error),
            other @ NotPlaced::PassedOnBefore(_) => panic!("{other}"),
        },
        OpKind::ShowLoad => return shown(view.load().await.map(|load| load.cpus)),
        OpKind::ShowHardware => return shown(view.hardware().await),
        OpKind::ShowInterfaces => return shown(view.interfaces().await),
        OpKind::ShowPools => return shown(view.pools().await),
        OpKind::ShowStorage => return shown(view.storage().await.map(|facts| facts.dir)),
        OpKind::ShowVnets => {
            let one = shown(view.vnet(World::VNET).await)?;
            return Ok(one + &shown(view.vnets().await)?);
        }
        OpKind::ReadDmesg => return shown(view.dmesg().await),
        OpKind::ReadMetrics => {
            let reasons = shown(view.reasons_against_service().await)?;
            return Ok(reasons + &shown(view.metrics())?);
        }
        OpKind::ReadLog => return shown(view.require(OpKind::ReadLog, "log")),
        OpKind::ShowAccounts => return shown(view.accounts().map(|users| users.len())),
    };
    assert_eq!(OpKind::of(&change), kind, "the row asks for another kind");
    shown(world.engine.execute(caller, change).await)
}

fn shown<T: std::fmt::Debug>(answer: Result<T, Error>) -> Answer {
    answer.map(|answer| format!("{answer:?}"))
}

/// The stage of the subject in which the change succeeds.
fn stage(kind: OpKind) -> Stage {
    row(kind).stage
}

/// The answer to a caller who may ask, on the simulated host.
const fn result(kind: OpKind) -> Result<(), ErrorKind> {
    match kind {
        // The other host fails, or nobody listens there.
        OpKind::ReceiveDomain | OpKind::Arrive | OpKind::Migrate => Err(ErrorKind::Backend),
        // The simulated host cannot be switched off.
        OpKind::PowerHost => Err(ErrorKind::Unsupported),
        // Nothing is under way.
        OpKind::Cancel => Err(ErrorKind::Conflict),
        // A disk does not change; and the host is in no fleet.
        OpKind::ConfigureDevice | OpKind::PlanAbsence => Err(ErrorKind::Invalid),
        _ => Ok(()),
    }
}

/// An answer, or an error without what the request named.
fn text(subject: &Subject, answer: &Answer) -> String {
    match answer {
        Ok(text) => format!("Ok {text}"),
        Err(error) => subject.without_identity(&format!("{:?} {error}", error.kind())),
    }
}

/// A user whose account is gone, and had every right.
fn revoked() -> Caller {
    let accounts = Accounts::default();
    let access = Access::to(["*".parse().unwrap()], Rights::all());
    accounts.replace(vec![Account::new("late", Credential::None, access)], None);
    let caller = nobody().logged_in(accounts.get("late").unwrap());
    accounts.replace(vec![], None);
    caller
}

#[tokio::test(start_paused = true)]
async fn a_hidden_domain_is_like_a_missing_one() {
    let (world, hidden) = host_with_subjects("hidden-", true).await;
    let before = world.state().await;
    let strangers = [
        ("a user with every right elsewhere", world.user(&["own*"], Rights::all())),
        ("a user who may read the host", world.user(&["*"], rights([Right::HostFacts]))),
        ("a user without rights", world.user(&[], Rights::NONE)),
        ("a user whose account is gone", revoked()),
        ("nobody", nobody()),
    ];
    for kind in OpKind::ALL.iter().copied() {
        let subject = subject_in(stage(kind), &hidden);
        let missing = Subject::missing("absent", &world.foreign_files());
        for (who, caller) in &strangers {
            for by in NamedBy::ALL {
                let case = format!("{kind:?} by {by:?}, {who}");
                let started = Instant::now();
                let seen = ask(&world, caller, kind, subject, by).await;
                let took = started.elapsed();
                let started = Instant::now();
                let unseen = ask(&world, caller, kind, &missing, by).await;
                let missing_took = started.elapsed();
                assert_eq!(text(subject, &seen), text(&missing, &unseen), "{case}");
                assert_eq!(took, missing_took, "{case}");
                check_refusal(kind, caller, &seen, &case);
            }
        }
        let changes = world.state().await.changes_since(&before);
        assert!(changes.is_empty(), "{kind:?} changed {changes:?}");
    }
}

/// A change is refused, and a read answers nothing about domains.
fn check_refusal(kind: OpKind, caller: &Caller, answer: &Answer, case: &str) {
    let refused = answer.as_ref().err().map(Error::kind);
    match kind.need() {
        Need::Domain(_) if matches!(kind, OpKind::ReadHistory | OpKind::ReadSamples) => {
            assert_eq!(answer.as_deref().ok(), Some("None []"), "{case}");
        }
        // The path is checked before the domain.
        Need::Domain(_) if matches!(kind, OpKind::SaveToFile | OpKind::Dump) => {
            let expected = [Some(ErrorKind::NotFound), Some(ErrorKind::Denied)];
            assert!(expected.contains(&refused), "{case}: {answer:?}");
        }
        Need::Domain(_) => assert_eq!(refused, Some(ErrorKind::NotFound), "{case}"),
        Need::HostFacts if caller.access().has(Right::HostFacts) => {}
        Need::Create | Need::HostFacts => {
            assert_eq!(refused, Some(ErrorKind::Denied), "{case}");
        }
        // One that is about a domain does not find it.
        Need::Operator => {
            let expected = [Some(ErrorKind::NotFound), Some(ErrorKind::Denied)];
            assert!(expected.contains(&refused), "{case}: {answer:?}");
        }
        Need::Anyone => {
            let shown = answer.as_deref().unwrap();
            assert!(!shown.contains("hidden"), "{case}: {shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_right_but_the_needed_one_is_not_enough() {
    let (world, own) = host_with_subjects("own-", false).await;
    let before = world.state().await;
    for kind in OpKind::ALL.iter().copied() {
        let (rights, missing) = match kind.need() {
            // Any right on a domain shows it.
            Need::Domain(Right::See) | Need::Anyone => continue,
            Need::Domain(right) => (all_but(right), Some(right)),
            Need::Create => (all_but(Right::Create), Some(Right::Create)),
            Need::HostFacts => (all_but(Right::HostFacts), Some(Right::HostFacts)),
            Need::Operator => (Rights::all(), None),
        };
        let caller = world.user(&["own*"], rights);
        let subject = subject_in(stage(kind), &own);
        for by in named_by(kind, subject) {
            let refused = ask(&world, &caller, kind, subject, by).await.unwrap_err();
            let right = match &refused {
                Error::NotPermitted { right, .. } => *right,
                other => panic!("{kind:?} by {by:?}: {other}"),
            };
            assert_eq!(right, missing, "{kind:?} by {by:?}: {refused}");
        }
        let changes = world.state().await.changes_since(&before);
        assert!(changes.is_empty(), "{kind:?} changed {changes:?}");
    }
}

/// The ways in which a subject can be named: only a domain on the host has a domid.
fn named_by(kind: OpKind, subject: &Subject) -> Vec<NamedBy> {
    let on_host = matches!(stage(kind), Stage::Running | Stage::Paused | Stage::Unplugged)
        && subject.domid > 0;
    NamedBy::ALL.into_iter().filter(|by| on_host || *by != NamedBy::Domid).collect()
}

/// A right to create domains of some names is none to create others.
#[tokio::test(start_paused = true)]
async fn a_domain_is_created_only_under_a_name_of_the_right_to_create() {
    let (world, own) = host_with_subjects("own-", false).await;
    let before = world.state().await;
    let mut access = world.user(&["own*"], all_but(Right::Create)).access().as_ref().clone();
    let domains = vec!["new*".parse().unwrap()];
    access.grants.push(Grant { domains, rights: rights([Right::Create]) });
    let caller = caller_with("steve", "192.0.2.7:4713", access);
    for kind in [OpKind::CreateDomain, OpKind::DefineDomain, OpKind::RestoreDomain] {
        let subject = subject_in(stage(kind), &own);
        let refused = ask(&world, &caller, kind, subject, NamedBy::Name).await.unwrap_err();
        let wanted =
            format!("Not allowed: name: the account has no right create on {}", subject.name);
        assert_eq!(refused.to_string(), wanted, "{kind:?}");
    }
    assert_eq!(world.state().await.changes_since(&before), [""; 0]);
}

/// The needed right alone is enough, and an operator needs none.
#[tokio::test(start_paused = true)]
async fn the_needed_right_is_enough() {
    let world = World::new().await;
    let account = Access::operator();
    let operators = [
        ("an operator", operator()),
        ("an operator's account", caller_with("root", "192.0.2.1:1", account)),
    ];
    for kind in OpKind::ALL.iter().copied() {
        let exact = match kind.need() {
            Need::Domain(right) => Some(right),
            Need::Create => Some(Right::Create),
            Need::HostFacts => Some(Right::HostFacts),
            Need::Anyone => Some(Right::See),
            Need::Operator => None,
        };
        let user = exact.map(|right| ("a user", world.user(&["own*"], rights([right]))));
        for (who, caller) in operators.iter().cloned().chain(user) {
            let subject = world.add("own", stage(kind), &world.files()).await;
            let answer = ask(&world, &caller, kind, &subject, NamedBy::Name).await;
            let got = answer.as_ref().map(drop).map_err(Error::kind);
            assert_eq!(got, result(kind), "{kind:?} by {who}: {answer:?}");
            if kind == OpKind::Rename {
                let name = format!("{}-new", subject.name);
                assert!(world.find(&name).await.is_some());
            }
            world.remove(&subject).await;
        }
    }
}

/// A right that no kind needs would promise something that nothing checks.
#[test]
fn every_right_is_needed_for_something() {
    for right in Right::ALL {
        let needs = |kind: &OpKind| match kind.need() {
            Need::Domain(needed) => needed == right,
            Need::Create => right == Right::Create,
            Need::HostFacts => right == Right::HostFacts,
            Need::Anyone | Need::Operator => false,
        };
        assert!(OpKind::ALL.iter().any(needs), "{right}");
    }
}

/// A pattern does not mean Domain-0, however wide it is.
#[tokio::test(start_paused = true)]
async fn domain_0_is_hidden_from_patterns() {
    let world = World::new().await;
    let before = world.state().await;
    let caller = world.user(&["*", "Domain*"], Rights::all());
    let mut subject = Subject::missing("Domain-0", &world.files());
    (subject.domid, subject.uuid) = (0, Uuid::nil());
    for kind in OpKind::ALL.iter().copied() {
        if !matches!(kind.need(), Need::Domain(_))
            || matches!(kind, OpKind::ReadHistory | OpKind::ReadSamples)
        {
            continue;
        }
        for by in NamedBy::ALL {
            let answer = ask(&world, &caller, kind, &subject, by).await;
            let missing = matches!(answer, Err(Error::NoSuchDomain(_)));
            assert!(missing, "{kind:?} by {by:?}: {answer:?}");
        }
    }
    assert_eq!(world.state().await.changes_since(&before), [""; 0]);
}
