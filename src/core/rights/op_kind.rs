//! The kinds of changes and reads, and the right that each needs.

use super::need::Need;
use super::right::Right;
use crate::core::model::{BlockKind, Device, Setting};
use crate::core::op::{Change, DomainOp, GuestOp};

macro_rules! op_kinds {
    ($($name:ident: $need:expr,)*) => {
        /// The kind of a change or a read. There is one for each [`Change`], each [`DomainOp`], and
        /// each method of a [`View`](crate::core::view::View) that a user can be refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum OpKind {
            $(#[doc = concat!("See `", stringify!($name), "` in the table of this file.")] $name,)*
        }

        impl OpKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name, as it stands here.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The right that it needs.
            pub const fn need(self) -> Need {
                use Need::*;
                use Right::*;
                match self {
                    $(Self::$name => $need,)*
                }
            }
        }
    };
}

op_kinds! {
    // Changes of the host.
    CreateDomain: Need::Create,
    DefineDomain: Need::Create,
    StartFromFile: Domain(Power),
    RestoreDomain: Need::Create,
    RemoveSaved: Need::Create,
    ReceiveDomain: Operator,
    SettleMigration: Operator,
    CreateVdi: Operator,
    SetVdi: Operator,
    DestroyVdi: Operator,
    CreatePbd: Operator,
    DestroyPbd: Operator,
    ChangeNetwork: Operator,
    ChangePool: Operator,
    SetClientData: Operator,
    ClearDmesg: Operator,
    DebugKeys: Operator,
    PowerHost: Operator,
    PlanAbsence: Operator,
    CreateVnet: Operator,
    DeleteVnet: Operator,

    // Changes of a domain. The engine makes `CreateFrom`, `Redefine`, `RestoreFrom` and `Arrive` of
    // changes above, whose rights and limits it has checked.
    Cancel: Domain(Save),
    Pause: Domain(Power),
    Unpause: Domain(Power),
    Destroy: Domain(Power),
    Shutdown: Domain(Power),
    Rename: Domain(Configure),
    SetSedf: Operator,
    SetShare: Operator,
    SetMemory: Domain(MemoryAndCpus),
    SetMaxMemory: Domain(MemoryAndCpus),
    SetVcpus: Domain(MemoryAndCpus),
    Pin: Operator,
    MoveToPool: Operator,
    Sysrq: Domain(Power),
    Trigger: Domain(Power),
    Reset: Domain(Power),
    Start: Domain(Power),
    CreateFrom: Operator,
    Redefine: Operator,
    Delete: Domain(Right::Create),
    Set: Domain(Configure),
    SetResources: Domain(MemoryAndCpus),
    SetDevice: Domain(Devices),
    Suspend: Domain(Save),
    Resume: Domain(Save),
    SaveToFile: Domain(Save),
    RestoreFrom: Operator,
    Migrate: Domain(Right::Migrate),
    Arrive: Operator,
    Dump: Domain(Save),
    AttachDevice: Domain(Devices),
    PlugDevice: Domain(Devices),
    ChangeMedium: Domain(Media),
    ConfigureDevice: Domain(Devices),
    DetachDevice: Domain(Devices),

    // What the agent inside a guest does, and XenStore.
    AskGuestAgent: Domain(Guest),
    SetGuestPassword: Domain(Guest),
    InjectGuestFile: Domain(Guest),
    ResetGuestNetwork: Domain(Guest),
    ChangeGuestStore: Operator,

    // Reads.
    ListDomains: Anyone,
    ShowDomain: Domain(See),
    ShowVcpus: Domain(See),
    ShowDevices: Domain(See),
    ShowDisks: Domain(See),
    WaitForDevices: Domain(See),
    ShowSedf: Domain(See),
    ShowSched: Domain(See),
    ReadConsole: Domain(Console),
    UseConsole: Domain(Console),
    UseScreen: Domain(Console),
    ReadSavedConfig: Need::Create,
    ReadEvents: Anyone,
    ReadHistory: Domain(See),
    ReadSamples: Domain(See),
    ReadGuestStore: Operator,
    ReadInventory: Anyone,
    ShowHost: Need::HostFacts,
    ShowFleet: Need::HostFacts,
    PlanEvacuation: Operator,
    ShowLoad: Need::HostFacts,
    ShowHardware: Need::HostFacts,
    ShowInterfaces: Need::HostFacts,
    ShowPools: Need::HostFacts,
    ShowStorage: Need::HostFacts,
    ShowVnets: Need::HostFacts,
    ReadDmesg: Operator,
    ReadLog: Operator,
    ShowAccounts: Operator,
    ReadMetrics: Operator,
}

impl OpKind {
    /// The kind of a change.
    pub fn of(change: &Change) -> Self {
        match change {
            Change::Create(_) => Self::CreateDomain,
            Change::Define(_) => Self::DefineDomain,
            Change::StartFromFile(_) => Self::StartFromFile,
            Change::Restore { .. } => Self::RestoreDomain,
            Change::RemoveSaved(_) => Self::RemoveSaved,
            Change::Receive(_) => Self::ReceiveDomain,
            Change::Settle(_) => Self::SettleMigration,
            Change::CreateVdi { .. } => Self::CreateVdi,
            Change::SetVdi(..) => Self::SetVdi,
            Change::DestroyVdi(_) => Self::DestroyVdi,
            Change::CreatePbd { .. } => Self::CreatePbd,
            Change::DestroyPbd(_) => Self::DestroyPbd,
            Change::Network(_) => Self::ChangeNetwork,
            Change::Pool(..) => Self::ChangePool,
            Change::SetClientData(..) => Self::SetClientData,
            Change::ClearDmesg => Self::ClearDmesg,
            Change::DebugKeys(_) => Self::DebugKeys,
            Change::PowerHost { .. } => Self::PowerHost,
            Change::GoAway(_) | Change::ComeBack => Self::PlanAbsence,
            Change::CreateVnet(_) => Self::CreateVnet,
            Change::DeleteVnet(_) => Self::DeleteVnet,
            Change::Cancel(_) => Self::Cancel,
            Change::Guest { op, .. } => Self::of_guest_op(op),
            Change::GuestStore(..) => Self::ChangeGuestStore,
            Change::Domain(_, op) => Self::of_domain_op(op),
        }
    }

    fn of_domain_op(op: &DomainOp) -> Self {
        match op {
            DomainOp::Pause => Self::Pause,
            DomainOp::Unpause => Self::Unpause,
            DomainOp::Destroy => Self::Destroy,
            DomainOp::Shutdown(_) => Self::Shutdown,
            DomainOp::Rename(_) => Self::Rename,
            DomainOp::SetSedf(_) => Self::SetSedf,
            DomainOp::SetShare { .. } => Self::SetShare,
            DomainOp::SetMemory(_) => Self::SetMemory,
            DomainOp::SetMaxMemory(_) => Self::SetMaxMemory,
            DomainOp::SetVcpus(_) => Self::SetVcpus,
            DomainOp::Pin { .. } => Self::Pin,
            DomainOp::MoveToPool(_) => Self::MoveToPool,
            DomainOp::Sysrq(_) => Self::Sysrq,
            DomainOp::Trigger(..) => Self::Trigger,
            DomainOp::Reset => Self::Reset,
            DomainOp::Start { .. } => Self::Start,
            DomainOp::CreateFrom(_) => Self::CreateFrom,
            DomainOp::Define(_) => Self::Redefine,
            DomainOp::Delete => Self::Delete,
            DomainOp::Set(setting) => Self::of_setting(setting),
            DomainOp::Suspend => Self::Suspend,
            DomainOp::Resume { .. } => Self::Resume,
            DomainOp::Save { .. } => Self::SaveToFile,
            DomainOp::RestoreFrom { .. } => Self::RestoreFrom,
            DomainOp::Migrate { .. } => Self::Migrate,
            DomainOp::Arrive(_) => Self::Arrive,
            DomainOp::Dump { .. } => Self::Dump,
            DomainOp::AttachDevice(_) => Self::AttachDevice,
            DomainOp::PlugDevice(_) => Self::PlugDevice,
            DomainOp::ConfigureDevice { to, .. } if is_cdrom(to) => Self::ChangeMedium,
            DomainOp::ConfigureDevice { .. } => Self::ConfigureDevice,
            DomainOp::DetachDevice { .. } => Self::DetachDevice,
        }
    }

    fn of_guest_op(op: &GuestOp) -> Self {
        match op {
            GuestOp::AgentVersion | GuestOp::AgentFeatures | GuestOp::Call(_) => {
                Self::AskGuestAgent
            }
            GuestOp::SetPassword { .. } => Self::SetGuestPassword,
            GuestOp::InjectFile { .. } | GuestOp::InjectEncoded { .. } => Self::InjectGuestFile,
            GuestOp::ResetNetwork { .. } => Self::ResetGuestNetwork,
        }
    }

    fn of_setting(setting: &Setting) -> Self {
        match setting {
            Setting::Vcpus(_) | Setting::OnlineVcpus(_) => Self::SetResources,
            Setting::Pool(_) => Self::MoveToPool,
            Setting::Device(_) => Self::SetDevice,
            Setting::Description(_)
            | Setting::OnXendStart(_)
            | Setting::OnPoweroff(_)
            | Setting::OnReboot(_)
            | Setting::OnCrash(_)
            | Setting::Bootloader(_)
            | Setting::BootloaderArgs(_)
            | Setting::Kernel(_)
            | Setting::Ramdisk(_)
            | Setting::Args(_)
            | Setting::Hvm(_)
            | Setting::Platform(..)
            | Setting::ClientData(_)
            | Setting::XenstoreData(_) => Self::Set,
        }
    }
}

/// Whether this is a CD-ROM drive, which has nothing else to change but its medium.
fn is_cdrom(device: &Device) -> bool {
    device.as_block().is_some_and(|block| block.kind == BlockKind::Cdrom)
}
