//! Every query, and whether it is answered in each state of a domain.

use crate::expected::Stage::{
    self, Absent, Crashed, Dom0, Halted, Off, Paused, Running, Suspended,
};
use std::path::{Path, PathBuf};
use xend::core::error::{Error, ErrorKind};
use xend::core::model::{DomainRef, Scheduler, Span, StorePath};
use xend::core::view::View;

/// A method of [`View`] that waits for its answer. The others cannot fail.
#[derive(Debug)]
pub(crate) enum Query {
    Domains,
    Domain,
    DomainsWith,
    Host,
    Dmesg,
    Vcpus,
    Console,
    OpenConsole,
    OpenScreen,
    Devices,
    AllDevices,
    Sedf,
    Sched,
    Scheduler,
    Vnets,
    SavedConfig,
    SavedDomain,
    Hardware,
    Interfaces,
    Pools,
    Storage,
    Extents,
    DiskFacts,
    SavedFiles,
    Usage,
    HostUsage,
    Vnet,
    WaitForDevices,
    Disks,
    Load,
    StoreNode,
    StoreTree,
    Fleet,
    Destinations,
}

pub(crate) const QUERIES: [Query; 34] = [
    Query::Domains,
    Query::Domain,
    Query::DomainsWith,
    Query::Host,
    Query::Dmesg,
    Query::Vcpus,
    Query::Console,
    Query::OpenConsole,
    Query::OpenScreen,
    Query::Devices,
    Query::AllDevices,
    Query::Sedf,
    Query::Sched,
    Query::Scheduler,
    Query::Vnets,
    Query::SavedConfig,
    Query::SavedDomain,
    Query::Hardware,
    Query::Interfaces,
    Query::Pools,
    Query::Storage,
    Query::Extents,
    Query::DiskFacts,
    Query::SavedFiles,
    Query::Usage,
    Query::HostUsage,
    Query::Vnet,
    Query::WaitForDevices,
    Query::Disks,
    Query::Load,
    Query::StoreNode,
    Query::StoreTree,
    Query::Fleet,
    Query::Destinations,
];

impl Query {
    pub(crate) async fn ask(&self, view: &View, domain: &DomainRef) -> Result<(), Error> {
        let node = StorePath::new("name").unwrap();
        match self {
            Query::Domains => view.domains().await.map(drop),
            Query::Domain => view.domain(domain).await.map(drop),
            Query::DomainsWith => {
                let found = view.snapshot().find(domain).map(|found| found.uuid);
                drop(view.domains_with(found.unwrap_or_default()).await);
                Ok(())
            }
            Query::Host => view.host().await.map(drop),
            Query::Dmesg => view.dmesg().await.map(drop),
            Query::Vcpus => view.vcpus(domain).await.map(drop),
            Query::Console => view.console(domain).await.map(drop),
            Query::OpenConsole => view.open_console(domain).await.map(drop),
            Query::OpenScreen => view.open_screen(domain).await.map(drop),
            Query::Devices => view.devices(domain, "vbd").await.map(drop),
            Query::AllDevices => view.all_devices(domain).await.map(drop),
            Query::Sedf => view.sedf(domain).await.map(drop),
            Query::Sched => view.sched(domain, Scheduler::Credit).await.map(drop),
            Query::Scheduler => view.scheduler(domain).await.map(drop),
            Query::Vnets => view.vnets().await.map(drop),
            Query::SavedConfig => view.saved_config(Path::new("/nonexistent")).await.map(drop),
            Query::SavedDomain => view.saved_domain(Path::new("/nonexistent")).await.map(drop),
            Query::Hardware => view.hardware().await.map(drop),
            Query::Interfaces => view.interfaces().await.map(drop),
            Query::Pools => view.pools().await.map(drop),
            Query::Storage => view.storage().await.map(drop),
            Query::Extents => view.extents(&[PathBuf::from("/")]).await.map(drop),
            Query::DiskFacts => view.disk_facts(&[PathBuf::from("/")]).await.map(drop),
            Query::SavedFiles => view.saved_files().await.map(drop),
            Query::Usage => view.usage(domain, Span::Hour).await.map(drop),
            Query::HostUsage => view.host_usage(Span::Hour).await.map(drop),
            Query::Vnet => view.vnet("nosuch").await.map(drop),
            Query::WaitForDevices => view.wait_for_devices(domain).await,
            Query::Disks => view.disks(domain).await.map(drop),
            Query::Load => view.load().await.map(drop),
            Query::StoreNode => view.store_node(domain, &node).await.map(drop),
            Query::StoreTree => view.store_tree(domain, &node).await.map(drop),
            Query::Fleet => view.fleet().await.map(drop),
            Query::Destinations => {
                drop(view.destinations().await);
                Ok(())
            }
        }
    }

    /// Whether it is answered.
    pub(crate) fn answered(&self, stage: Stage) -> Result<(), ErrorKind> {
        let there = if stage == Absent { Err(ErrorKind::NotFound) } else { Ok(()) };
        match self {
            Query::Domains
            | Query::DomainsWith
            | Query::Host
            | Query::Dmesg
            | Query::Vnets
            | Query::Hardware
            | Query::Interfaces
            | Query::Pools
            | Query::Storage
            | Query::Extents
            | Query::DiskFacts
            | Query::SavedFiles
            | Query::HostUsage
            | Query::Load
            | Query::Fleet
            | Query::Destinations => Ok(()),
            Query::Vnet => Err(ErrorKind::NotFound),
            // No such file.
            Query::SavedConfig | Query::SavedDomain => Err(ErrorKind::Invalid),
            Query::Domain
            | Query::Devices
            | Query::Vcpus
            | Query::Sedf
            | Query::Sched
            | Query::Scheduler
            | Query::WaitForDevices
            | Query::Usage
            | Query::Disks => there,
            Query::Console | Query::OpenConsole | Query::OpenScreen if stage == Dom0 => {
                Err(ErrorKind::Denied)
            }
            // The contract's domains have no screen.
            Query::OpenScreen if matches!(stage, Paused | Running | Crashed | Off) => {
                Err(ErrorKind::Unsupported)
            }
            Query::AllDevices
            | Query::Console
            | Query::OpenConsole
            | Query::OpenScreen
            | Query::StoreNode
            | Query::StoreTree => match stage {
                Halted | Suspended => Err(ErrorKind::Conflict),
                Absent | Paused | Running | Crashed | Off | Dom0 => there,
            },
        }
    }
}

/// Every method of `View` that waits is a [`Query`] above.
#[test]
fn every_query_is_in_the_contract() {
    let sources = [
        include_str!("../../src/core/view.rs"),
        include_str!("../../src/core/view/consoles.rs"),
        include_str!("../../src/core/view/disks.rs"),
        include_str!("../../src/core/view/fleet.rs"),
        include_str!("../../src/core/view/guest.rs"),
        include_str!("../../src/core/view/histories.rs"),
        include_str!("../../src/core/view/host.rs"),
        include_str!("../../src/core/view/saved.rs"),
    ];
    let methods = sources.iter().flat_map(|source| source.split("pub async fn ").skip(1));
    let names: Vec<&str> = methods.filter_map(|method| method.split('(').next()).collect();
    assert_eq!(names.len(), QUERIES.len());
    for name in names {
        assert!(include_str!("queries.rs").contains(&format!("view.{name}(")), "{name}");
    }
}
