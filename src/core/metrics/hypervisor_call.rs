//! The calls of the hypervisor's port.

macro_rules! hypervisor_calls {
    ($($call:ident: $name:literal,)*) => {
        /// A call of [`Hypervisor`](crate::core::ports::Hypervisor), of its
        /// [`Machine`](crate::core::ports::Machine) or of its
        /// [`GuestStore`](crate::core::ports::GuestStore).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum HypervisorCall {
            $(#[doc = concat!("`", $name, "`")] $call,)*
        }

        impl HypervisorCall {
            /// All calls.
            pub const ALL: &'static [Self] = &[$(Self::$call,)*];

            /// The name in the log and in metrics: that of the method.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$call => $name,)*
                }
            }
        }
    };
}

hypervisor_calls! {
    Hardware: "hardware",
    Interfaces: "interfaces",
    ChangeNetwork: "change_network",
    LoadAverage: "load_average",
    Pools: "pools",
    ChangePools: "change_pools",
    ReadNode: "read_node",
    ReadTree: "read_tree",
    WriteNode: "write_node",
    RemoveNode: "remove_node",
    Info: "info",
    Figures: "figures",
    Domains: "domains",
    Domain: "domain",
    Config: "config",
    StoreConfig: "store_config",
    Create: "create",
    WaitForDevices: "wait_for_devices",
    Pause: "pause",
    Unpause: "unpause",
    Destroy: "destroy",
    Shutdown: "shutdown",
    Rename: "rename",
    Vcpus: "vcpus",
    Devices: "devices",
    SchedParams: "sched_params",
    SetSchedParams: "set_sched_params",
    SetMemoryTarget: "set_memory_target",
    SetMaxMemory: "set_max_memory",
    SetOnlineVcpus: "set_online_vcpus",
    SetAffinity: "set_affinity",
    AttachDevice: "attach_device",
    ConfigureDevice: "configure_device",
    DetachDevice: "detach_device",
    SendTrigger: "send_trigger",
    Save: "save",
    Unsuspend: "unsuspend",
    Restore: "restore",
    SendSysrq: "send_sysrq",
    DumpCore: "dump_core",
    Console: "console",
    OpenConsole: "open_console",
    OpenScreen: "open_screen",
    Dmesg: "dmesg",
    ClearDmesg: "clear_dmesg",
    DebugKeys: "debug_keys",
    PowerHost: "power_host",
}
