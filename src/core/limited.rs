//! Time limits for calls of the hypervisor and the store, and the measures of those of the
//! hypervisor.

use super::error::Error;
use super::metrics::{Counters, HypervisorCall as Call};
use super::model::{
    CompleteConfig, CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts,
    Hardware, HostFigures, HostInfo, Interface, NetworkChange, PoolChange, PoolFacts, SchedParams,
    ShutdownReason, StorePath, Trigger, Uuid, VcpuFacts,
};
use super::ports::{
    DomainChanged, GuestStore, GuestStream, Hypervisor, Machine, OpenConsole, TreeLimits,
};
use super::transfer::Transfer;
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug_span, warn};

/// Waits for `call` for at most `limit`. `what` names the call in the error.
pub(super) async fn limited<T>(
    limit: Duration,
    what: &'static str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(Error::Timeout { what, limit }))
}

/// How long a call of the storage may still take when xend begins to stop.
const STORAGE_STOP_LIMIT: Duration = Duration::from_secs(5);

/// Waits for a call of the storage of disk images, which may be a disk of another host that does
/// not respond, for as long as a copy takes. When xend begins to stop, which cancels `ending`, the
/// call is given up soon: the next start finishes or removes what it leaves. `what` names the call
/// in the log.
pub(super) async fn unless_ending<T>(
    ending: &CancellationToken,
    what: &'static str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let given_up = async {
        ending.cancelled().await;
        tokio::time::sleep(STORAGE_STOP_LIMIT).await;
    };
    tokio::select! {
        biased;
        done = call => done,
        () = given_up => {
            let limit = STORAGE_STOP_LIMIT.as_secs();
            warn!("{what} is given up: the storage did not respond within {limit} s of the stop");
            Err(Error::Stopping)
        }
    }
}

/// A hypervisor with a limit on every short call. Each call has a tracing span, and is measured.
///
/// Long calls (create, destroy, save, restore, dump) have no limit here: their callers give up when
/// they make no progress.
pub(super) struct Limited {
    hypervisor: Arc<dyn Hypervisor>,
    limit: Duration,
    counters: Arc<Counters>,
}

impl Limited {
    pub(super) fn new(
        hypervisor: Arc<dyn Hypervisor>,
        limit: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        Self { hypervisor, limit, counters }
    }

    /// A call about the host.
    async fn host_call<T>(
        &self,
        call: Call,
        what: &'static str,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let span = debug_span!("hypervisor", call = call.name());
        self.measured(call, limited(self.limit, what, future.instrument(span))).await
    }

    /// A call about one domain.
    async fn domain_call<T>(
        &self,
        call: Call,
        domid: DomId,
        what: &'static str,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let span = debug_span!("hypervisor", call = call.name(), %domid);
        self.measured(call, limited(self.limit, what, future.instrument(span))).await
    }

    /// A call that is counted, with its duration.
    async fn measured<T>(
        &self,
        call: Call,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.counters.call(call).run(future).await
    }
}

#[async_trait]
impl Machine for Limited {
    async fn hardware(&self) -> Result<Hardware, Error> {
        self.host_call(Call::Hardware, "Reading the hardware", self.hypervisor.hardware()).await
    }

    async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        self.host_call(Call::Interfaces, "Reading the network", self.hypervisor.interfaces()).await
    }

    async fn change_network(&self, change: NetworkChange) -> Result<(), Error> {
        let future = self.hypervisor.change_network(change);
        self.host_call(Call::ChangeNetwork, "Changing the network", future).await
    }

    async fn load_average(&self) -> Result<[f64; 3], Error> {
        self.host_call(Call::LoadAverage, "Reading the load", self.hypervisor.load_average()).await
    }

    async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        self.host_call(Call::Pools, "Reading the CPU pools", self.hypervisor.pools()).await
    }

    async fn change_pools(&self, change: PoolChange) -> Result<(), Error> {
        let what = match &change {
            PoolChange::Move { .. } => "Moving to a CPU pool",
            _ => "Changing the CPU pools",
        };
        self.host_call(Call::ChangePools, what, self.hypervisor.change_pools(change)).await
    }
}

#[async_trait]
impl GuestStore for Limited {
    async fn read_node(&self, domid: DomId, path: &StorePath) -> Result<Option<Vec<u8>>, Error> {
        let future = self.hypervisor.read_node(domid, path);
        self.domain_call(Call::ReadNode, domid, "Reading XenStore", future).await
    }

    async fn read_tree(
        &self,
        domid: DomId,
        path: &StorePath,
        limits: TreeLimits,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let future = self.hypervisor.read_tree(domid, path, limits);
        self.domain_call(Call::ReadTree, domid, "Reading XenStore", future).await
    }

    async fn write_node(&self, domid: DomId, path: &StorePath, value: &[u8]) -> Result<(), Error> {
        let future = self.hypervisor.write_node(domid, path, value);
        self.domain_call(Call::WriteNode, domid, "Writing XenStore", future).await
    }

    async fn remove_node(&self, domid: DomId, path: &StorePath) -> Result<(), Error> {
        let future = self.hypervisor.remove_node(domid, path);
        self.domain_call(Call::RemoveNode, domid, "Writing XenStore", future).await
    }

    fn subscribe_reports(&self) -> mpsc::UnboundedReceiver<DomId> {
        self.hypervisor.subscribe_reports()
    }
}

#[async_trait]
impl Hypervisor for Limited {
    async fn info(&self) -> Result<HostInfo, Error> {
        self.host_call(Call::Info, "Reading the host", self.hypervisor.info()).await
    }

    async fn figures(&self) -> Result<HostFigures, Error> {
        self.host_call(Call::Figures, "Reading the host", self.hypervisor.figures()).await
    }

    async fn domains(&self) -> Result<Vec<DomainFacts>, Error> {
        self.host_call(Call::Domains, "Reading the domains", self.hypervisor.domains()).await
    }

    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error> {
        let future = self.hypervisor.domain(domid);
        self.domain_call(Call::Domain, domid, "Reading the domain", future).await
    }

    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error> {
        let future = self.hypervisor.config(domid);
        self.domain_call(Call::Config, domid, "Reading a configuration", future).await
    }

    async fn store_config(&self, domid: DomId, config: &CompleteConfig) -> Result<(), Error> {
        let future = self.hypervisor.store_config(domid, config);
        self.domain_call(Call::StoreConfig, domid, "Storing the configuration", future).await
    }

    async fn create(
        &self,
        config: &CompleteConfig,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        let span = debug_span!("hypervisor", call = "create", domain = %config.name);
        let call = self.hypervisor.create(config, transfer).instrument(span);
        self.measured(Call::Create, call).await
    }

    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error> {
        let future = self.hypervisor.wait_for_devices(domid);
        self.domain_call(Call::WaitForDevices, domid, "Waiting for devices", future).await
    }

    async fn pause(&self, domid: DomId) -> Result<(), Error> {
        self.domain_call(Call::Pause, domid, "Pause", self.hypervisor.pause(domid)).await
    }

    async fn unpause(&self, domid: DomId) -> Result<(), Error> {
        self.domain_call(Call::Unpause, domid, "Unpause", self.hypervisor.unpause(domid)).await
    }

    async fn destroy(&self, domid: DomId, transfer: Arc<Transfer>) -> Result<(), Error> {
        let span = debug_span!("hypervisor", call = "destroy", %domid);
        let call = self.hypervisor.destroy(domid, transfer).instrument(span);
        self.measured(Call::Destroy, call).await
    }

    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error> {
        let future = self.hypervisor.shutdown(domid, reason);
        self.domain_call(Call::Shutdown, domid, "Shutdown", future).await
    }

    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error> {
        let future = self.hypervisor.rename(domid, name, uuid);
        self.domain_call(Call::Rename, domid, "Rename", future).await
    }

    async fn vcpus(&self, domid: DomId) -> Result<Vec<VcpuFacts>, Error> {
        self.domain_call(Call::Vcpus, domid, "Reading VCPUs", self.hypervisor.vcpus(domid)).await
    }

    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error> {
        self.domain_call(Call::Devices, domid, "Reading devices", self.hypervisor.devices(domid))
            .await
    }

    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error> {
        let future = self.hypervisor.sched_params(domid);
        self.domain_call(Call::SchedParams, domid, "Reading scheduler parameters", future).await
    }

    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error> {
        let future = self.hypervisor.set_sched_params(domid, params);
        self.domain_call(Call::SetSchedParams, domid, "Setting scheduler parameters", future).await
    }

    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        let future = self.hypervisor.set_memory_target(domid, mib);
        self.domain_call(Call::SetMemoryTarget, domid, "Setting memory", future).await
    }

    async fn set_max_memory(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        let future = self.hypervisor.set_max_memory(domid, mib);
        self.domain_call(Call::SetMaxMemory, domid, "Setting maximum memory", future).await
    }

    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error> {
        let future = self.hypervisor.set_online_vcpus(domid, mask);
        self.domain_call(Call::SetOnlineVcpus, domid, "Setting VCPUs", future).await
    }

    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error> {
        let future = self.hypervisor.set_affinity(domid, affinity);
        self.domain_call(Call::SetAffinity, domid, "Pinning", future).await
    }

    async fn attach_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let future = self.hypervisor.attach_device(domid, device);
        self.domain_call(Call::AttachDevice, domid, "Attaching a device", future).await
    }

    async fn configure_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let future = self.hypervisor.configure_device(domid, device);
        self.domain_call(Call::ConfigureDevice, domid, "Configuring a device", future).await
    }

    async fn detach_device(&self, domid: DomId, device: &Device, force: bool) -> Result<(), Error> {
        let future = self.hypervisor.detach_device(domid, device, force);
        self.domain_call(Call::DetachDevice, domid, "Detaching a device", future).await
    }

    async fn send_trigger(&self, domid: DomId, trigger: Trigger, vcpu: u32) -> Result<(), Error> {
        let future = self.hypervisor.send_trigger(domid, trigger, vcpu);
        self.domain_call(Call::SendTrigger, domid, "Trigger", future).await
    }

    async fn save(
        &self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        let span = debug_span!("hypervisor", call = "save", %domid);
        let call = self.hypervisor.save(domid, to, live, transfer).instrument(span);
        self.measured(Call::Save, call).await
    }

    async fn unsuspend(&self, domid: DomId) -> Result<(), Error> {
        self.domain_call(Call::Unsuspend, domid, "Taking back", self.hypervisor.unsuspend(domid))
            .await
    }

    async fn restore(
        &self,
        config: &CompleteConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        let span = debug_span!("hypervisor", call = "restore", domain = %config.name);
        let call = self.hypervisor.restore(config, from, transfer).instrument(span);
        self.measured(Call::Restore, call).await
    }

    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error> {
        self.domain_call(Call::SendSysrq, domid, "SysRq", self.hypervisor.send_sysrq(domid, key))
            .await
    }

    async fn dump_core(
        &self,
        domid: DomId,
        file: &Path,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        let span = debug_span!("hypervisor", call = "dump_core", %domid);
        let call = self.hypervisor.dump_core(domid, file, transfer).instrument(span);
        self.measured(Call::DumpCore, call).await
    }

    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error> {
        self.domain_call(
            Call::Console,
            domid,
            "Reading the console",
            self.hypervisor.console(domid),
        )
        .await
    }

    async fn open_console(&self, domid: DomId) -> Result<OpenConsole, Error> {
        self.domain_call(
            Call::OpenConsole,
            domid,
            "Opening the console",
            self.hypervisor.open_console(domid),
        )
        .await
    }

    async fn open_screen(&self, domid: DomId) -> Result<Box<dyn GuestStream>, Error> {
        self.domain_call(
            Call::OpenScreen,
            domid,
            "Opening the screen",
            self.hypervisor.open_screen(domid),
        )
        .await
    }

    async fn dmesg(&self) -> Result<Vec<u8>, Error> {
        self.host_call(Call::Dmesg, "Reading dmesg", self.hypervisor.dmesg()).await
    }

    async fn clear_dmesg(&self) -> Result<(), Error> {
        self.host_call(Call::ClearDmesg, "Clearing dmesg", self.hypervisor.clear_dmesg()).await
    }

    async fn debug_keys(&self, keys: &str) -> Result<(), Error> {
        self.host_call(Call::DebugKeys, "Pressing keys", self.hypervisor.debug_keys(keys)).await
    }

    async fn power_host(&self, reboot: bool) -> Result<(), Error> {
        let future = self.hypervisor.power_host(reboot);
        self.host_call(Call::PowerHost, "Switching the host off", future).await
    }

    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged> {
        self.hypervisor.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_call_of_the_storage_is_given_up_soon_after_the_stop_begins() {
        let ending = CancellationToken::new();
        let stuck = unless_ending(&ending, "Making a disk image", pending::<Result<(), Error>>());
        let stop = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            ending.cancel();
            Instant::now()
        };
        let (given_up, stopped) = tokio::join!(stuck, stop);
        assert!(matches!(given_up, Err(Error::Stopping)), "{given_up:?}");
        assert_eq!(stopped.elapsed(), STORAGE_STOP_LIMIT);
        assert_eq!(unless_ending(&ending, "Reading", ready(Ok(7))).await.unwrap(), 7);
    }
}
