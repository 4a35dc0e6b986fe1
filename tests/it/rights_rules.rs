//! What a right does not allow: values beyond the limits of an account, names and UUIDs of others,
//! files elsewhere. And what happens to rights when domains get other names.

use crate::rights_support::{
    Stage, Subject, World, caller_with, config_text, device, operator, parsed, rights, vdi_at,
};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use xend::core::caller::{Caller, Via};
use xend::core::error::{Error, ErrorKind};
use xend::core::model::{
    ClientData, DomName, DomainConfig, DomainRef, Policy, Setting, Text, Uuid,
};
use xend::core::op::{AfterDump, Change, DomainOp, ImageContent, Outcome};
use xend::core::ports::Entropy as _;
use xend::core::rights::{Access, DomainPattern, Limits, Right, Rights};
use xend::os::OsEntropy;
use xend::shape::read_config;

/// A user of domains `own*` with every right and these limits.
fn limited(world: &World, change: impl FnOnce(&mut Limits)) -> Caller {
    let mut access = Access::clone(&world.user(&["own*"], Rights::all()).access());
    change(&mut access.limits);
    caller_with("steve", "192.0.2.7:4713", access)
}

fn config(text: &str) -> DomainConfig {
    read_config(&parsed(text)).unwrap()
}

async fn define(world: &World, caller: &Caller, config: DomainConfig) -> Result<(), Error> {
    world.engine.execute(caller, Change::Define(Box::new(config))).await.map(drop)
}

async fn on(world: &World, caller: &Caller, name: &str, op: DomainOp) -> Result<Outcome, Error> {
    world.engine.execute(caller, Change::Domain(DomainRef::new(name), op)).await
}

/// The text of a refusal because of a limit.
fn beyond(answer: Result<impl Sized, Error>) -> String {
    match answer.map(drop) {
        Err(Error::BeyondLimits(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// What runs as root on the host, or opens its files and networks, is the operator's choice.
#[tokio::test(start_paused = true)]
async fn a_configuration_names_nothing_of_the_host_but_what_the_account_allows() {
    let world = World::new().await;
    let caller = world.user(&["own*"], Rights::all());
    define(&world, &caller, config(&config_text("own-ok"))).await.unwrap();
    let before = world.state().await;
    let good = config_text("own");
    let kernel = "(kernel /boot/guests/vmlinuz)";
    let hvm = "(image (hvm (kernel /usr/lib/xen/boot/hvmloader) (device_model /tmp/evil)))";
    let vif = "(device (vif (bridge xenbr0)))";
    let disk = "phy:/dev/vg0/own)";
    let instead = |part: &str, other: &str| {
        assert!(good.contains(part), "{part}");
        good.replacen(part, other, 1)
    };
    let also = |more: &str| good.replacen("(vcpus 2)", &format!("(vcpus 2) {more}"), 1);
    for (text, refusal) in [
        (also("(bootloader /usr/bin/pygrub)"), "bootloader: "),
        (also("(bootloader_args -q)"), "bootloader_args: "),
        (also("(pool_name Pool-1)"), "cpus, cpu_weight, cpu_cap, pool_name: "),
        (also("(cpus 0)"), "cpus, cpu_weight, cpu_cap, pool_name: "),
        (also("(cpu_weight 1024)"), "cpus, cpu_weight, cpu_cap, pool_name: "),
        (instead("(on_crash preserve)", "(on_crash coredump-restart)"), "on_crash: "),
        (instead("(on_poweroff preserve)", "(on_poweroff coredump-destroy)"), "on_poweroff: "),
        (instead(kernel, "(kernel /etc/shadow)"), "kernel: /etc/shadow "),
        (instead(kernel, "(kernel /boot/guests/../vmlinuz)"), "kernel: "),
        (instead(kernel, "(kernel /boot/guests/k) (ramdisk /root/x)"), "ramdisk: /root/x "),
        (instead(kernel, "(kernel /boot/guests/k) (vnclisten 0.0.0.0)"), "image vnclisten: "),
        (instead(&format!("(image (linux {kernel}))"), hvm), "device_model: "),
        (instead(disk, "phy:/dev/sda)"), "vbd uname: phy:/dev/sda "),
        (instead(disk, "phy:sda)"), "vbd uname: "),
        (instead(disk, "phy:/dev/vg0/../sda)"), "vbd uname: "),
        (instead(disk, "file:/etc/shadow)"), "vbd uname: file:/etc/shadow "),
        (instead(disk, "drbd:own)"), "vbd uname: "),
        (instead(disk, "phy:/dev/vg0/own) (backend driver)"), "vbd: "),
        (instead(vif, "(device (vif (bridge xenbr1)))"), "vif bridge: xenbr1 "),
        (instead(vif, "(device (vif))"), "vif bridge: "),
        (instead(vif, "(device (vif (bridge xenbr0) (script /tmp/x)))"), "vif script: "),
        (instead(vif, "(device (vif (bridge xenbr0) (ip 10.0.0.1)))"), "vif ip: "),
        (instead(vif, "(device (vif (bridge xenbr0) (backend driver)))"), "vif backend: "),
        (instead(vif, "(device (vif (bridge xenbr0) (vifname eth0)))"), "vif vifname: "),
        (instead(vif, "(device (vfb (vnc 1) (vnclisten 0.0.0.0)))"), "vfb vnclisten: "),
        (instead(vif, "(device (pci (dev (bus 0x3) (slot 0x0) (func 0x0))))"), "pci: "),
        (instead(vif, "(device (vscsi (dev (p-dev 0:0:0:0))))"), "vscsi: "),
    ] {
        for create in [false, true] {
            let config = Box::new(config(&text));
            let change = if create { Change::Create(config) } else { Change::Define(config) };
            let refused = beyond(world.engine.execute(&caller, change).await);
            assert!(refused.starts_with(refusal), "{text}: {refused}");
        }
        define(&world, &operator(), config(&text)).await.unwrap_or_else(|error| {
            assert_ne!(error.kind(), ErrorKind::Denied, "{text}: {error}");
        });
        let _ = on(&world, &operator(), "own", DomainOp::Delete).await;
    }
    assert_eq!(world.state().await.changes_since(&before), [""; 0]);
}

/// The same for a domain that is there: what an operator wrote may stay, and come back in the
/// answer that a client sends as the new definition.
#[tokio::test(start_paused = true)]
async fn what_an_operator_wrote_stays_and_nothing_else_comes_in() {
    let world = World::new().await;
    let caller = world.user(&["own*"], Rights::all());
    let text = config_text("own").replace("phy:/dev/vg0/own", "phy:/dev/sda").replacen(
        "(vcpus 2)",
        "(vcpus 2) (bootloader /usr/bin/pygrub) (cpu_weight 512)",
        1,
    );
    define(&world, &operator(), config(&text)).await.unwrap();
    let view = world.find("own").await.unwrap();
    let mut echoed = DomainConfig::clone(view.definition.as_ref().unwrap());
    echoed.description = "mine".into();
    define(&world, &caller, echoed.clone()).await.unwrap();
    assert_eq!(world.find("own").await.unwrap().config.description, Text::from("mine"));
    let before = world.state().await;
    echoed.bootloader = "/tmp/evil".into();
    assert!(beyond(define(&world, &caller, echoed).await).starts_with("bootloader: "));
    for (setting, refusal) in [
        (Setting::Bootloader("/tmp/evil".into()), "bootloader: "),
        (Setting::BootloaderArgs("--evil".into()), "bootloader_args: "),
        (Setting::Kernel("/etc/shadow".into()), "kernel: "),
        (Setting::Ramdisk(Some("/etc/shadow".into())), "ramdisk: "),
        (Setting::Platform("device_model".into(), Some("/tmp/evil".into())), "image "),
        (Setting::Platform("vnclisten".into(), Some("0.0.0.0".into())), "image vnclisten: "),
        (Setting::OnCrash("coredump-destroy".parse().unwrap()), "on_crash: "),
    ] {
        let refused = beyond(on(&world, &caller, "own", DomainOp::Set(setting.clone())).await);
        assert!(refused.starts_with(refusal), "{setting:?}: {refused}");
    }
    for (text, refusal) in [
        ("(vbd (uname phy:/dev/sdb) (dev xvdb) (mode w))", "vbd uname: "),
        ("(vif (bridge xenbr1))", "vif bridge: "),
        ("(pci (dev (bus 0x3) (slot 0x0) (func 0x0)))", "pci: "),
    ] {
        let op = DomainOp::AttachDevice(Box::new(device(text)));
        let refused = beyond(on(&world, &caller, "own", op).await);
        assert!(refused.starts_with(refusal), "{text}: {refused}");
    }
    assert_eq!(world.state().await.changes_since(&before), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn all_domains_of_an_account_together_stay_within_its_numbers() {
    let world = World::new().await;
    let of = |name: &str| config(&config_text(name));
    let caller = limited(&world, |limits| limits.domains = Some(2));
    // At the same time, two get through.
    let names: Vec<String> = (0..6).map(|n| format!("own-{n}")).collect();
    let defined = join_all(names.iter().map(|name| define(&world, &caller, of(name)))).await;
    let (done, refused): (Vec<_>, Vec<_>) = defined.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (2, 4));
    for refused in refused {
        assert_eq!(beyond(refused), "the account is limited to 2 domains");
    }
    // A domain that the operator makes counts. One that goes makes room.
    let own: Vec<String> = world
        .engine
        .view(&caller)
        .snapshot()
        .domains()
        .map(|view| view.name().to_string())
        .collect();
    on(&world, &caller, &own[0], DomainOp::Delete).await.unwrap();
    world.define(of("own-operators")).await;
    let refused = define(&world, &caller, of("own-more")).await;
    assert_eq!(beyond(refused), "the account is limited to 2 domains");

    // Each domain has 256 MiB and two VCPUs at most.
    let memory = limited(&world, |limits| limits.memory_mib = Some(700));
    let refused = define(&world, &memory, of("own-more")).await;
    assert_eq!(
        beyond(refused),
        "the account is limited to 700 MiB of memory in all domains together"
    );
    let name = &own[1];
    let refused = on(&world, &memory, name, DomainOp::SetMaxMemory(700)).await;
    assert!(beyond(refused).starts_with("the account is limited to 700 MiB"));
    on(&world, &memory, name, DomainOp::SetMaxMemory(400)).await.unwrap();
    let vcpus = limited(&world, |limits| limits.vcpus = Some(5));
    let refused = define(&world, &vcpus, of("own-more")).await;
    assert_eq!(beyond(refused), "the account is limited to 5 VCPUs in all domains together");
    let more = DomainOp::Set(Setting::Vcpus(4));
    assert!(beyond(on(&world, &vcpus, name, more).await).starts_with("the account is limited"));
    on(&world, &vcpus, name, DomainOp::Set(Setting::Vcpus(3))).await.unwrap();
    // An account over a limit that was lowered can still shrink.
    let lowered = limited(&world, |limits| limits.vcpus = Some(1));
    on(&world, &lowered, name, DomainOp::Set(Setting::Vcpus(2))).await.unwrap();
}

/// Files are those of the account, and those of the host's policy.
#[tokio::test(start_paused = true)]
async fn files_stay_in_their_directories() {
    let world = World::new().await;
    let own = world.add("own", Stage::Running, &world.files()).await;
    world.settle().await;
    std::os::unix::fs::symlink(world.foreign_files(), world.files().join("out")).unwrap();
    std::fs::write(world.foreign_files().join("here"), "a file of another user").unwrap();
    let caller = world.user(&["own"], Rights::all());
    let before = world.state().await;
    let outside = [
        world.foreign_files().join("new"),
        world.foreign_files().join("here"),
        world.files().join("out/new"),
        world.files().join("out/here"),
        world.files().join("../foreign/here"),
        world.files(),
        "/dev/null".into(),
        "relative".into(),
    ];
    let changes = |file: &PathBuf| {
        let named = DomainRef::new(&*own.name);
        let save = DomainOp::Save { file: file.clone(), checkpoint: true, replace: true };
        let dump = DomainOp::Dump { file: Some(file.clone()), live: true, then: AfterDump::GoOn };
        [
            Change::Domain(named.clone(), save),
            Change::Domain(named, dump),
            Change::Restore { file: file.clone(), paused: true },
        ]
    };
    for file in &outside {
        for change in changes(file) {
            let what = format!("{change:?}");
            let refused = beyond(world.engine.execute(&caller, change).await);
            assert_eq!(refused, format!("file: {} is in no directory for files", file.display()));
            assert!(!refused.contains("exist"), "{what}");
        }
        assert!(matches!(
            world.engine.view(&caller).saved_config(file).await,
            Err(Error::BeyondLimits(_))
        ));
    }
    let dump = DomainOp::Dump { file: None, live: true, then: AfterDump::GoOn };
    assert!(beyond(on(&world, &caller, &own.name, dump).await).starts_with("file: "));
    assert_eq!(world.state().await.changes_since(&before), [""; 0]);

    // The operator's directories hold for everybody but root on a unix socket.
    let policy = Policy { file_dirs: vec![world.files()], ..Policy::default() };
    world.policy.store(Arc::new(policy));
    let elsewhere = DomainOp::Save { file: outside[0].clone(), checkpoint: true, replace: true };
    beyond(on(&world, &operator(), &own.name, elsewhere.clone()).await);
    let somebody = Caller::operator(Via::Unix { uid: Some(1000), pid: None });
    beyond(on(&world, &somebody, &own.name, elsewhere.clone()).await);
    let inside =
        DomainOp::Save { file: world.files().join("new"), checkpoint: true, replace: true };
    on(&world, &operator(), &own.name, inside.clone()).await.unwrap();
    on(&world, &caller, &own.name, inside).await.unwrap();
    let root = Caller::operator(Via::Unix { uid: Some(0), pid: None });
    on(&world, &root, &own.name, elsewhere).await.unwrap();
}

/// A saved domain comes back, and takes the UUID of no other.
#[tokio::test(start_paused = true)]
async fn a_domain_that_was_saved_is_restored_after_it_has_gone() {
    let world = World::new().await;
    let caller = world.user(&["own"], rights([Right::Power, Right::Save, Right::Create]));
    let create = Change::Create(Box::new(config(&config_text("own"))));
    world.engine.execute(&caller, create).await.unwrap();
    on(&world, &caller, "own", DomainOp::Unpause).await.unwrap();
    world.settle().await;
    let before = world.find("own").await.unwrap();
    let file = world.files().join("own.save");
    let save = DomainOp::Save { file: file.clone(), checkpoint: false, replace: true };
    on(&world, &caller, "own", save).await.unwrap();
    assert!(world.find("own").await.is_none());
    let mut others = config(&config_text("others"));
    others.uuid = Some(before.uuid);
    world.define(others).await;
    let restore = Change::Restore { file, paused: true };
    world.engine.execute(&caller, restore).await.unwrap();
    let after = world.find("own").await.unwrap();
    assert_ne!(after.uuid, before.uuid);
    assert_eq!(world.find("others").await.unwrap().uuid, before.uuid);
}

/// A UUID, a name or a disk image of somebody else is like one that nobody has.
#[tokio::test(start_paused = true)]
async fn identifiers_of_others_are_like_unused_ones() {
    let world = World::new().await;
    let hidden = world.add("hidden", Stage::Running, &world.foreign_files()).await;
    let own = world.add("own", Stage::Halted, &world.files()).await;
    world.settle().await;
    let before = world.state().await;
    let caller = world.user(&["own*"], Rights::all());
    let unused = Subject::missing("nobody", &world.foreign_files());
    let answers = async |subject: &Subject| {
        let mut answers = Vec::new();
        let mut with_uuid = config(&config_text("own-new"));
        with_uuid.uuid = Some(subject.uuid);
        let mut with_name = config(&config_text(&subject.name));
        with_name.uuid = None;
        let mut both = with_name.clone();
        both.uuid = Some(subject.uuid);
        for config in [with_uuid, with_name, both] {
            for change in
                [Change::Create(Box::new(config.clone())), Change::Define(Box::new(config))]
            {
                answers.push(world.engine.execute(&caller, change).await);
            }
        }
        for name in [subject.name.clone(), subject.domid.to_string(), subject.uuid.to_string()] {
            let op = DomainOp::Rename(DomName::new(&name).unwrap());
            answers.push(on(&world, &caller, &own.name, op).await);
        }
        let refused = |answer: Result<Outcome, Error>| answer.unwrap_err().to_string();
        let answers = answers.into_iter().map(refused);
        answers.map(|answer| subject.without_identity(&answer)).collect::<Vec<_>>()
    };
    assert_eq!(answers(&hidden).await, answers(&unused).await);
    assert_eq!(world.state().await.changes_since(&before), [""; 0]);
}

/// A disk that names the image of another user does not show the image.
#[tokio::test(start_paused = true)]
async fn a_disk_shows_only_the_image_that_it_is_on() {
    let world = World::new().await;
    let own = world.add("own", Stage::Halted, &world.files()).await;
    let caller = world.user(&["own"], Rights::all());
    let secret = OsEntropy.uuid();
    let shown = OsEntropy.uuid();
    for (uuid, location) in [(secret, "/srv/bob/disk"), (shown, "/srv/own/disk")] {
        let vdi = Box::new(vdi_at(location));
        let client_data = ClientData::default();
        world
            .execute(Change::CreateVdi { uuid, vdi, client_data, content: ImageContent::Empty })
            .await
            .unwrap();
    }
    let attach = async |dev: &str, vdi: Uuid| {
        let text = format!("(vbd (uname file:/srv/own/disk) (dev {dev}) (mode r) (VDI {vdi}))");
        let op = DomainOp::AttachDevice(Box::new(device(&text)));
        on(&world, &caller, &own.name, op).await
    };
    let refused = attach("xvdb", secret).await;
    assert_eq!(beyond(refused), format!("VDI: {secret} is not at file:/srv/own/disk"));
    attach("xvdc", shown).await.unwrap();
    let seen: BTreeSet<Uuid> =
        world.engine.view(&caller).inventory().vdis().map(|(item, _)| item.uuid).collect();
    assert_eq!(seen, BTreeSet::from([shown, own.image]));
}

/// A right by name follows the name, and one by UUID follows the domain.
#[tokio::test(start_paused = true)]
async fn a_rename_moves_rights_as_documented() {
    let world = World::new().await;
    let subject = world.add("web1", Stage::Halted, &world.files()).await;
    let by_name = world.user(&["web*"], rights([Right::Configure]));
    let access = Access::to([DomainPattern::Uuid(subject.uuid)], rights([Right::Configure]));
    let by_uuid = caller_with("ann", "192.0.2.8:4714", access);
    let sees = |caller: &Caller| {
        let all = world.engine.view(caller).snapshot();
        all.domains().map(|view| view.name().to_string()).collect::<Vec<_>>()
    };
    let rename = async |caller: &Caller, from: &str, to: &str| {
        on(&world, caller, from, DomainOp::Rename(DomName::new(to).unwrap())).await
    };
    // Users rename domains to names that they have.
    rename(&by_name, "web1", "web2").await.unwrap();
    let refused = rename(&by_name, "web2", "mail").await;
    assert_eq!(beyond(refused), "name: the account cannot use the name mail");
    // A right by UUID is none to a name.
    let refused = rename(&by_uuid, "web2", "web3").await;
    assert_eq!(beyond(refused), "name: the account cannot use the name web3");
    rename(&operator(), "web2", "mail").await.unwrap();
    assert_eq!((sees(&by_name), sees(&by_uuid)), (vec![], vec!["mail".to_owned()]));
    // A right to a name counts from the moment that a domain has it.
    rename(&operator(), "mail", "web4").await.unwrap();
    assert_eq!(sees(&by_name), ["web4"]);
    world.define(config(&config_text("web5"))).await;
    assert_eq!(sees(&by_name), ["web4", "web5"]);
    assert_eq!(sees(&by_uuid), ["web4"]);
}
