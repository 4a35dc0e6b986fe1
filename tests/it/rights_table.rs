//! The requests of each wire by the kind of change or read that they reach.
//!
//! [`row`] matches on the kind without a default: a new kind does not compile until it has a row. A
//! wire that has no request of a kind says why. Words with a `$` are of the
//! [`Subject`](crate::rights_support::Subject) of a request, see `rights_wires.rs`.

use crate::rights_support::Stage;
use xend::core::rights::OpKind;

/// The requests of a wire that reach a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach {
    By(&'static [&'static str]),
    /// There are none, for this reason.
    Not(&'static str),
}

use Reach::{By, Not};

impl Reach {
    pub(crate) const fn requests(self) -> &'static [&'static str] {
        match self {
            By(requests) => requests,
            Not(_) => &[],
        }
    }
}

/// The requests that reach a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The stage of the subject in which the requests succeed.
    pub(crate) stage: Stage,
    /// A method, a path, and a form.
    pub(crate) http: Reach,
    /// A function of `xend.*` and its parameters in JSON.
    pub(crate) legacy: Reach,
    /// A call of the Xen-API and its parameters in JSON, without the session.
    pub(crate) xenapi: Reach,
    /// A line of the Argo protocol.
    pub(crate) argo: Reach,
}

const RELOCATION: Reach = Not("domains arrive on the relocation port, and their hosts ask there");
const INTERNAL: Reach = Not("the engine makes it of another change");
const NO_OBJECTS: Reach = Not("the wire has no objects but domains and vnets");
const NO_SETTINGS: Reach = Not("a configuration is replaced as a whole");
const OWNERS: Reach = Not("Argo has the commands of owners of instances, and dmesg and load");
const NO_VNETS: Reach = Not("vnets are xend 3.0's, and this wire is younger");
const OWN_OBJECTS: Reach = Not("the objects of devices and metrics have it, as one record each");
const STREAMS: Reach = Not("the stream of events: the tests of leaks read it");
const NO_HISTORY: Reach = Not("this wire shows the present; other programs keep histories");
const PAGE: Reach = Not("a part of the domain's page: the tests of leaks read it");
const NO_FILES: Reach = Not("clients of this wire read configuration files themselves");
const OWN_PAGE: Reach = Not("this wire shows the devices, not what is on them");
const NO_LOAD: Reach = Not("this wire shows the figures of domains");
const NO_STORE: Reach = Not("plug-ins of the Xen-API read and write XenStore");
const NO_AGENT: Reach = Not("xm knows no agents in guests");
const METRICS: Reach = Not("metrics have paths of their own, see `metrics.rs`");
const FLEET: Reach = Not("only a host in a fleet shows it, see `http_fleet.rs`");
const NO_SAVED: Reach = Not("clients of this wire see the files themselves");
const NO_ACCOUNTS: Reach = Not("the wire shows no accounts");
const NO_FLEET: Reach = Not("this host is in no fleet");
const NO_KEYS: Reach = Not("the wire cannot press keys of the hypervisor");

/// A kind that only the engine or another host can ask for.
const fn nowhere(stage: Stage, reason: Reach) -> Row {
    Row { stage, http: reason, legacy: reason, xenapi: reason, argo: reason }
}

/// A change of objects that only the Xen-API has.
const fn xenapi(stage: Stage, requests: &'static [&'static str]) -> Row {
    Row { stage, http: NO_OBJECTS, legacy: NO_OBJECTS, xenapi: By(requests), argo: OWNERS }
}

/// The requests that reach a kind.
#[allow(clippy::too_many_lines, reason = "one table")]
pub(crate) const fn row(kind: OpKind) -> Row {
    use Stage::{Absent, Halted, Paused, Running, Saved, Suspended, Unplugged};
    match kind {
        OpKind::CreateDomain => Row {
            stage: Absent,
            http: By(&["POST /xend/domain op=create&config=$config"]),
            legacy: By(&[r#"xend.domain.create ["$config"]"#]),
            xenapi: Not("VM.create defines a VM, and VM.start builds it"),
            argo: Not("start builds from a file of the operator's: StartFromFile"),
        },
        OpKind::DefineDomain => Row {
            stage: Absent,
            http: By(&["POST /xend/domain op=new&config=$config"]),
            legacy: By(&[r#"xend.domain.new ["$config"]"#]),
            xenapi: By(&[
                r#"VM.create [{"name_label":"$name","memory_dynamic_max":"67108864","PV_kernel":"/boot/guests/vmlinuz"}]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::StartFromFile => Row {
            stage: Absent,
            http: NO_FILES,
            legacy: NO_FILES,
            xenapi: NO_FILES,
            argo: By(&["start $name"]),
        },
        OpKind::RestoreDomain => Row {
            stage: Saved,
            http: By(&["POST /xend/domain op=restore&file=$file&paused=1"]),
            legacy: By(&[r#"xend.domain.restore ["$file",true]"#]),
            xenapi: By(&[r#"VM.restore ["$file",true]"#]),
            argo: OWNERS,
        },
        OpKind::RemoveSaved => Row {
            stage: Saved,
            http: By(&["POST /xend/saved op=delete&file=$file"]),
            legacy: NO_SAVED,
            xenapi: NO_SAVED,
            argo: NO_SAVED,
        },
        OpKind::ReceiveDomain => nowhere(Absent, RELOCATION),
        OpKind::SettleMigration => nowhere(Running, RELOCATION),
        OpKind::CreateVdi => Row {
            stage: Running,
            http: By(&[
                "POST /xend/node/storage op=create&size=1",
                "POST /xend/node/storage/$image op=clone",
            ]),
            legacy: NO_OBJECTS,
            xenapi: By(&[
                r#"VDI.create [{"SR":"$sr","type":"user","other_config":{"location":"phy:/dev/vg0/$unused"}}]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::SetVdi => Row {
            stage: Running,
            http: By(&["POST /xend/node/storage/$image op=resize&size=2048"]),
            legacy: NO_OBJECTS,
            xenapi: By(&[
                r#"VDI.set_sharable ["$image",true]"#,
                r#"VDI.set_read_only ["$image",true]"#,
                r#"VDI.set_virtual_size ["$image","1073741824"]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::DestroyVdi => Row {
            stage: Running,
            http: By(&["POST /xend/node/storage/$image op=delete"]),
            legacy: NO_OBJECTS,
            xenapi: By(&[r#"VDI.destroy ["$image"]"#]),
            argo: OWNERS,
        },
        OpKind::CreatePbd => {
            xenapi(Running, &[r#"PBD.create [{"host":"$host","SR":"$sr","device_config":{}}]"#])
        }
        OpKind::DestroyPbd => xenapi(Running, &[r#"PBD.destroy ["$pbd"]"#]),
        OpKind::ChangeNetwork => xenapi(
            Running,
            &[
                r#"network.create [{"name_label":"$bridge"}]"#,
                r#"PIF.set_MTU ["$pif","1400"]"#,
                r#"PIF.set_MAC ["$pif","00:16:3e:00:00:01"]"#,
                r#"PIF.create_VLAN ["eth0","$network","$host","$tag"]"#,
                r#"PIF.unplug ["$pif"]"#,
                r#"PIF.plug ["$pif"]"#,
            ],
        ),
        OpKind::ChangePool => Row {
            stage: Running,
            http: NO_OBJECTS,
            legacy: By(&[
                r#"xend.cpu_pool.new [[["name_label","$unused"]]]"#,
                r#"xend.cpu_pool.create [[["name_label","$unused"]]]"#,
                r#"xend.cpu_pool.start ["$unused"]"#,
                r#"xend.cpu_pool.destroy ["$unused"]"#,
                r#"xend.cpu_pool.delete ["$unused"]"#,
                r#"xend.cpu_pool.cpu_add ["Pool-0",3]"#,
                r#"xend.cpu_pool.cpu_remove ["$unused",3]"#,
            ]),
            xenapi: By(&[
                r#"cpu_pool.create [{"name_label":"$unused"}]"#,
                r#"cpu_pool.activate ["$pool"]"#,
                r#"cpu_pool.deactivate ["$pool"]"#,
                r#"cpu_pool.destroy ["$pool0"]"#,
                r#"cpu_pool.set_ncpu ["$pool","2"]"#,
                r#"cpu_pool.set_auto_power_on ["$pool",false]"#,
                r#"cpu_pool.add_to_proposed_CPUs ["$pool","1"]"#,
                r#"cpu_pool.remove_from_proposed_CPUs ["$pool","1"]"#,
                r#"cpu_pool.add_host_CPU_live ["$pool","$cpu"]"#,
                r#"cpu_pool.remove_host_CPU_live ["$pool","$cpu"]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::SetClientData => xenapi(
            Running,
            &[
                r#"host.set_name_label ["$host","$unused"]"#,
                r#"host.add_to_other_config ["$host","$unused","b"]"#,
                r#"host.remove_from_other_config ["$host","a"]"#,
                r#"host.set_logging ["$host",{}]"#,
                r#"host.disable ["$host"]"#,
                r#"host.enable ["$host"]"#,
                r#"VDI.set_name_label ["$image","$unused"]"#,
                r#"network.set_name_description ["$network","$unused"]"#,
                r#"SR.set_name_label ["$sr","$unused"]"#,
                r#"cpu_pool.set_name_description ["$pool","$unused"]"#,
            ],
        ),
        OpKind::ClearDmesg => Row {
            stage: Running,
            http: By(&["POST /xend/node/dmesg op=clear"]),
            legacy: By(&["xend.node.dmesg.clear []"]),
            xenapi: By(&[r#"host.dmesg_clear ["$host"]"#]),
            argo: OWNERS,
        },
        OpKind::DebugKeys => Row {
            stage: Running,
            http: NO_KEYS,
            legacy: By(&[r#"xend.node.send_debug_keys ["h"]"#]),
            xenapi: By(&[r#"host.send_debug_keys ["$host","h"]"#]),
            argo: NO_KEYS,
        },
        OpKind::PowerHost => Row {
            // The Xen-API refuses it while a guest runs.
            stage: Halted,
            http: By(&["POST /xend/node op=shutdown", "POST /xend/node op=reboot"]),
            legacy: Not("xm shuts domains down"),
            xenapi: By(&[r#"host.shutdown ["$host"]"#, r#"host.reboot ["$host"]"#]),
            argo: OWNERS,
        },
        OpKind::PlanAbsence => nowhere(Running, NO_FLEET),
        OpKind::CreateVnet => Row {
            stage: Running,
            http: By(&["POST /xend/vnet op=create&config=(vnet (id $unused))"]),
            legacy: NO_VNETS,
            xenapi: NO_VNETS,
            argo: NO_VNETS,
        },
        OpKind::DeleteVnet => Row {
            stage: Running,
            http: By(&["POST /xend/vnet/$vnet op=delete"]),
            legacy: NO_VNETS,
            xenapi: NO_VNETS,
            argo: NO_VNETS,
        },

        OpKind::Cancel => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=cancel"]),
            legacy: Not("xm cannot cancel anything"),
            xenapi: Not("task.cancel: a user sees only tasks of the own sessions"),
            argo: OWNERS,
        },
        OpKind::Pause => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=pause"]),
            legacy: By(&[
                r#"xend.domain.pause ["$domain"]"#,
                r#"xend.domain.pause ["$domain",true]"#,
            ]),
            xenapi: By(&[r#"VM.pause ["$uuid"]"#]),
            argo: By(&["pause $name"]),
        },
        OpKind::Unpause => Row {
            stage: Paused,
            http: By(&["POST /xend/domain/$domain op=unpause"]),
            legacy: By(&[r#"xend.domain.unpause ["$domain"]"#]),
            xenapi: By(&[r#"VM.unpause ["$uuid"]"#]),
            argo: By(&["unpause $name"]),
        },
        OpKind::Destroy => Row {
            stage: Running,
            http: By(&[
                "POST /xend/domain/$domain op=destroy",
                "GET /xend/domain/$domain/confirm?op=destroy",
            ]),
            legacy: By(&[r#"xend.domain.destroy ["$domain"]"#]),
            xenapi: By(&[r#"VM.hard_shutdown ["$uuid"]"#]),
            argo: Not("stop asks the guest"),
        },
        OpKind::Shutdown => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=shutdown&reason=poweroff"]),
            legacy: By(&[r#"xend.domain.shutdown ["$domain","poweroff"]"#]),
            xenapi: By(&[r#"VM.clean_shutdown ["$uuid"]"#, r#"VM.clean_reboot ["$uuid"]"#]),
            argo: By(&["stop $name", "reboot $name"]),
        },
        OpKind::Rename => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=rename&name=$name-new"]),
            legacy: By(&[r#"xend.domain.setName ["$domain","$name-new"]"#]),
            xenapi: By(&[r#"VM.set_name_label ["$uuid","$name-new"]"#]),
            argo: OWNERS,
        },
        OpKind::SetSedf => Row {
            stage: Running,
            http: By(&[
                "POST /xend/domain/$domain op=cpu_sedf_set&period=20000000&slice=5000000&latency=0\
                 &extratime=0&weight=0",
            ]),
            legacy: By(&[r#"xend.domain.cpu_sedf_set ["$domain",20000000,5000000,0,false,0]"#]),
            xenapi: Not("the Xen-API has the parameters of credit schedulers"),
            argo: OWNERS,
        },
        OpKind::SetShare => Row {
            stage: Running,
            http: By(&[
                "POST /xend/domain/$domain op=domain_sched_credit_set&weight=300",
                "POST /xend/domain/$domain op=domain_sched_credit2_set&weight=300",
            ]),
            legacy: By(&[
                r#"xend.domain.sched_credit_set ["$domain",300]"#,
                r#"xend.domain.sched_credit2_set ["$domain",300]"#,
            ]),
            xenapi: By(&[
                r#"VM.add_to_VCPUs_params_live ["$uuid","weight","300"]"#,
                r#"VM.add_to_VCPUs_params_live ["$uuid","cap","50"]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::SetMemory => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=mem_target_set&target=128"]),
            legacy: By(&[r#"xend.domain.setMemoryTarget ["$domain",128]"#]),
            xenapi: By(&[
                r#"VM.set_memory_dynamic_max_live ["$uuid","134217728"]"#,
                r#"VM.set_memory_dynamic_max ["$uuid","134217728"]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::SetMaxMemory => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=maxmem_set&memory=512"]),
            legacy: By(&[r#"xend.domain.maxmem_set ["$domain",512]"#]),
            xenapi: By(&[r#"VM.set_memory_static_max ["$uuid","536870912"]"#]),
            argo: OWNERS,
        },
        OpKind::SetVcpus => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=set_vcpus&vcpus=1"]),
            legacy: By(&[r#"xend.domain.setVCpuCount ["$domain",1]"#]),
            xenapi: By(&[r#"VM.set_VCPUs_number_live ["$uuid","1"]"#]),
            argo: OWNERS,
        },
        OpKind::Pin => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=pincpu&vcpu=all&cpumap=0"]),
            legacy: By(&[r#"xend.domain.pincpu ["$domain","all","0"]"#]),
            xenapi: By(&[r#"VM.add_to_VCPUs_params_live ["$uuid","cpumap0","0"]"#]),
            argo: OWNERS,
        },
        OpKind::MoveToPool => Row {
            stage: Running,
            http: NO_OBJECTS,
            legacy: By(&[r#"xend.cpu_pool.migrate ["$domain","Pool-0"]"#]),
            xenapi: By(&[r#"VM.cpu_pool_migrate ["$uuid","$pool0"]"#]),
            argo: OWNERS,
        },
        OpKind::Sysrq => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=sysrq&key=115"]),
            legacy: By(&[r#"xend.domain.send_sysrq ["$domain","s"]"#]),
            xenapi: By(&[r#"VM.send_sysrq ["$uuid","s"]"#]),
            argo: OWNERS,
        },
        OpKind::Trigger => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=send_trigger&trigger=nmi&vcpu=0"]),
            legacy: By(&[r#"xend.domain.send_trigger ["$domain","nmi",0]"#]),
            xenapi: By(&[r#"VM.send_trigger ["$uuid","nmi","0"]"#]),
            argo: OWNERS,
        },
        OpKind::Reset => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=reset"]),
            legacy: By(&[r#"xend.domain.reset ["$domain"]"#]),
            xenapi: By(&[r#"VM.hard_reboot ["$uuid"]"#]),
            argo: OWNERS,
        },
        OpKind::Start => Row {
            stage: Halted,
            http: By(&["POST /xend/domain/$domain op=start&paused=0"]),
            legacy: By(&[r#"xend.domain.start ["$domain",false]"#]),
            xenapi: By(&[r#"VM.start ["$uuid",false]"#]),
            argo: By(&["start $name"]),
        },
        OpKind::CreateFrom | OpKind::Redefine | OpKind::Arrive => nowhere(Halted, INTERNAL),
        OpKind::RestoreFrom => nowhere(Saved, INTERNAL),
        OpKind::Delete => Row {
            stage: Halted,
            http: By(&["POST /xend/domain/$domain op=delete"]),
            legacy: By(&[r#"xend.domain.delete ["$domain"]"#]),
            xenapi: By(&[r#"VM.destroy ["$uuid"]"#]),
            argo: OWNERS,
        },
        OpKind::Set => Row {
            stage: Running,
            http: NO_SETTINGS,
            legacy: NO_SETTINGS,
            xenapi: By(&[
                r#"VM.set_name_description ["$uuid","seen"]"#,
                r#"VM.set_auto_power_on ["$uuid",true]"#,
                r#"VM.set_actions_after_crash ["$uuid","destroy"]"#,
                r#"VM.set_PV_args ["$uuid","ro"]"#,
                r#"VM.set_PV_kernel ["$uuid","/boot/guests/other"]"#,
                r#"VM.add_to_other_config ["$uuid","a","b"]"#,
                r#"VM.add_to_platform ["$uuid","localtime","1"]"#,
                r#"VM.set_user_version ["$uuid","2"]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::SetResources => Row {
            stage: Halted,
            http: NO_SETTINGS,
            legacy: NO_SETTINGS,
            xenapi: By(&[
                r#"VM.set_VCPUs_max ["$uuid","1"]"#,
                r#"VM.set_VCPUs_at_startup ["$uuid","1"]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::SetDevice => Row {
            stage: Halted,
            http: NO_SETTINGS,
            legacy: NO_SETTINGS,
            xenapi: By(&[
                r#"VBD.set_mode ["$disk","RO"]"#,
                r#"VBD.set_bootable ["$disk",true]"#,
                r#"VIF.set_MAC ["$vif","00:16:3e:00:00:99"]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::Suspend => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=suspend"]),
            legacy: By(&[r#"xend.domain.suspend ["$domain"]"#]),
            xenapi: By(&[r#"VM.suspend ["$uuid"]"#]),
            argo: OWNERS,
        },
        OpKind::Resume => Row {
            stage: Suspended,
            http: By(&["POST /xend/domain/$domain op=resume&paused=1"]),
            legacy: By(&[r#"xend.domain.resume ["$domain",true]"#]),
            xenapi: By(&[r#"VM.resume ["$uuid",true]"#]),
            argo: OWNERS,
        },
        OpKind::SaveToFile => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=save&file=$new_file"]),
            legacy: By(&[r#"xend.domain.save ["$domain","$new_file",false]"#]),
            xenapi: By(&[r#"VM.save ["$uuid","$new_file",false]"#]),
            argo: OWNERS,
        },
        OpKind::Migrate => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=migrate&destination=127.0.0.1&port=8002"]),
            legacy: By(&[r#"xend.domain.migrate ["$domain","127.0.0.1",false,8002]"#]),
            xenapi: By(&[r#"VM.migrate ["$uuid","127.0.0.1",false,{"port":"8002"}]"#]),
            argo: OWNERS,
        },
        OpKind::Dump => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=dump&file=$new_file"]),
            legacy: By(&[r#"xend.domain.dump ["$domain","$new_file"]"#]),
            xenapi: Not("the Xen-API of xend has no core dumps"),
            argo: OWNERS,
        },
        OpKind::AttachDevice => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=device_create\
                 &config=(vbd (uname phy:/dev/vg0/$name-2) (dev xvdb) (mode w))"]),
            legacy: By(&[
                r#"xend.domain.device_create ["$domain",["vbd",["uname","phy:/dev/vg0/$name-2"],["dev","xvdb"],["mode","w"]]]"#,
            ]),
            xenapi: By(&[
                r#"console.create [{"VM":"$uuid","protocol":"rfb","other_config":{}}]"#,
                r#"VBD.create [{"VM":"$uuid","VDI":"$image","device":"xvdb","mode":"RO","bootable":false}]"#,
                r#"VIF.create [{"VM":"$uuid","network":"$network","MAC":"","device":"1"}]"#,
                r#"VTPM.create [{"VM":"$uuid"}]"#,
                r#"DPCI.create [{"VM":"$uuid","PPCI":"$ppci","hotplug_slot":"0"}]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::PlugDevice => Row {
            stage: Unplugged,
            http: Not("a device is attached by its configuration"),
            legacy: Not("a device is attached by its configuration"),
            xenapi: By(&[r#"VBD.plug ["$disk"]"#]),
            argo: OWNERS,
        },
        OpKind::ChangeMedium => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=device_configure\
                 &config=(vbd (uname file:/srv/cd.iso) (dev hdc:cdrom) (mode r))&dev=hdc"]),
            legacy: By(&[
                r#"xend.domain.device_configure ["$domain",["vbd",["uname","file:/srv/cd.iso"],["dev","hdc:cdrom"],["mode","r"]],"hdc"]"#,
            ]),
            xenapi: By(&[r#"VBD.media_change ["$drive","$image"]"#]),
            argo: OWNERS,
        },
        OpKind::ConfigureDevice => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=device_configure\
                 &config=(vbd (uname phy:/dev/vg0/$name) (dev xvda) (mode r))&dev=xvda"]),
            legacy: By(&[
                r#"xend.domain.device_configure ["$domain",["vbd",["uname","phy:/dev/vg0/$name"],["dev","xvda"],["mode","r"]],"xvda"]"#,
            ]),
            xenapi: Not("setters change the configuration: SetDevice"),
            argo: OWNERS,
        },
        OpKind::DetachDevice => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=device_destroy&type=vif&dev=0"]),
            legacy: By(&[r#"xend.domain.destroyDevice ["$domain","vif","0"]"#]),
            xenapi: By(&[
                r#"VIF.unplug ["$vif"]"#,
                r#"VIF.destroy ["$vif"]"#,
                r#"VBD.unplug ["$disk"]"#,
                r#"VBD.destroy ["$disk"]"#,
            ]),
            argo: OWNERS,
        },

        OpKind::AskGuestAgent => Row {
            stage: Running,
            http: By(&[
                "POST /xend/domain/$domain op=agent_version",
                "POST /xend/domain/$domain op=agent_features",
            ]),
            legacy: NO_AGENT,
            xenapi: By(&[
                r#"host.call_plugin ["$host","agent","version",{"id":"$unused","dom_id":"$domid"}]"#,
                r#"host.call_plugin ["$host","agent","resetnetwork",{"id":"$unused","dom_id":"$domid"}]"#,
                r#"host.call_plugin ["$host","agent","key_init",{"id":"$unused","dom_id":"$domid","pub":"12345"}]"#,
                r#"host.call_plugin ["$host","agent","password",{"id":"$unused","dom_id":"$domid","enc_pass":"x"}]"#,
                r#"host.call_plugin ["$host","agent","agentupdate",{"id":"$unused","dom_id":"$domid","url":"x","md5sum":"x"}]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::SetGuestPassword => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=set_password&password=seen"]),
            legacy: NO_AGENT,
            xenapi: Not("the client encrypts the password: AskGuestAgent"),
            argo: OWNERS,
        },
        OpKind::InjectGuestFile => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=inject_file&file=/etc/motd&contents=seen"]),
            legacy: NO_AGENT,
            xenapi: By(&[
                r#"host.call_plugin ["$host","agent","inject_file",{"id":"$unused","dom_id":"$domid","b64_path":"L2V0Yy9tb3Rk","b64_contents":"c2Vlbg=="}]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::ResetGuestNetwork => Row {
            stage: Running,
            http: By(&[
                "POST /xend/domain/$domain op=reset_network&hostname=seen",
                "POST /xend/domain/$domain op=reset_network&address=203.0.113.10/24",
            ]),
            legacy: NO_AGENT,
            xenapi: Not("the client writes the settings before: AskGuestAgent"),
            argo: OWNERS,
        },
        OpKind::ChangeGuestStore => Row {
            stage: Running,
            http: NO_STORE,
            legacy: NO_STORE,
            xenapi: By(&[
                r#"host.call_plugin ["$host","xenstore.py","write_record",{"dom_id":"$domid","path":"vm-data/seen","value":"1"}]"#,
                r#"host.call_plugin ["$host","xenstore.py","delete_record",{"dom_id":"$domid","path":"vm-data/seen"}]"#,
            ]),
            argo: NO_STORE,
        },

        OpKind::ListDomains => Row {
            stage: Running,
            http: By(&[
                "GET /xend/domain",
                "GET /xend/domain?detail=1",
                "GET /xend/domain?state=halted",
                "POST /xend/domain op=list",
            ]),
            legacy: By(&[
                "xend.domains [false]",
                "xend.domains [true]",
                r#"xend.domains_with_state [true,"all"]"#,
                r#"xend.domains_with_state [false,"halted"]"#,
            ]),
            xenapi: By(&[
                "VM.get_all []",
                "VM.get_all_records []",
                r#"VM.get_by_name_label ["$name"]"#,
                r#"host.get_resident_VMs ["$host"]"#,
            ]),
            argo: By(&["list running", "list available"]),
        },
        OpKind::ShowDomain => Row {
            stage: Running,
            http: By(&["GET /xend/domain/$domain", "GET /xend/domain/$domain/config"]),
            legacy: By(&[
                r#"xend.domain ["$domain"]"#,
                r#"xend.domain ["$domain",false]"#,
                r#"xend.domain.getRestartCount ["$domain"]"#,
                r#"xend.domain.getpauseflag ["$domain"]"#,
                r#"xend.domain.setpauseflag ["$domain",true]"#,
                r#"xend.security.get_domain_label ["$domain"]"#,
                r#"xend.domain.shadow_mem_get ["$domain"]"#,
                r#"xend.domain.shadow_mem_set ["$domain",1]"#,
                r#"xend.domain.shadow_control ["$domain",1]"#,
                r#"xend.domain.ioport_range_enable ["$domain",1,2]"#,
                r#"xend.domain.ioport_range_disable ["$domain",1,2]"#,
                r#"xend.domain.usb_add ["$domain","1"]"#,
                r#"xend.domain.usb_del ["$domain","1"]"#,
            ]),
            xenapi: By(&[
                r#"VM.get_record ["$uuid"]"#,
                r#"VM.get_by_uuid ["$uuid"]"#,
                r#"VM.get_domid ["$uuid"]"#,
                r#"VM.get_consoles ["$uuid"]"#,
            ]),
            argo: By(&[
                "info $name",
                "ip $name",
                "mac $name",
                "rx $name",
                "tx $name",
                "uptime $name",
            ]),
        },
        OpKind::ShowVcpus => Row {
            stage: Running,
            http: By(&[
                "GET /xend/domain/$domain?op=vcpuinfo",
                "POST /xend/domain/$domain op=vcpuinfo",
            ]),
            legacy: By(&[r#"xend.domain.getVCPUInfo ["$domain"]"#]),
            xenapi: OWN_OBJECTS,
            argo: OWNERS,
        },
        OpKind::ShowDevices => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=devices&type=vbd"]),
            legacy: By(&[
                r#"xend.domain.getDeviceSxprs ["$domain","vbd"]"#,
                r#"xend.domain.getBlockDeviceClass ["$domain","xvda"]"#,
            ]),
            xenapi: By(&[
                r#"VBD.get_record ["$disk"]"#,
                r#"VIF.get_record ["$vif"]"#,
                r#"VBD_metrics.get_record ["$disk"]"#,
                r#"VIF_metrics.get_record ["$vif"]"#,
                r#"VDI.get_record ["$image"]"#,
            ]),
            argo: OWNERS,
        },
        OpKind::ShowDisks => Row {
            stage: Running,
            http: OWN_PAGE,
            legacy: OWN_PAGE,
            xenapi: OWN_PAGE,
            argo: By(&["image $name"]),
        },
        OpKind::WaitForDevices => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=wait_for_devices"]),
            legacy: By(&[r#"xend.domain.waitForDevices ["$domain"]"#]),
            xenapi: Not("calls wait for their devices themselves"),
            argo: OWNERS,
        },
        OpKind::ShowSedf => Row {
            stage: Running,
            http: By(&["POST /xend/domain/$domain op=cpu_sedf_get"]),
            legacy: By(&[r#"xend.domain.cpu_sedf_get ["$domain"]"#]),
            xenapi: Not("the Xen-API has the parameters of credit schedulers"),
            argo: OWNERS,
        },
        OpKind::ShowSched => Row {
            stage: Running,
            http: By(&[
                "POST /xend/domain/$domain op=domain_sched_credit_get",
                "POST /xend/domain/$domain op=domain_sched_credit2_get",
            ]),
            legacy: By(&[
                r#"xend.domain.sched_credit_get ["$domain"]"#,
                r#"xend.domain.sched_credit2_get ["$domain"]"#,
            ]),
            xenapi: OWN_OBJECTS,
            argo: OWNERS,
        },
        OpKind::ReadConsole => Row {
            stage: Running,
            http: By(&["GET /xend/domain/$domain/console"]),
            legacy: Not("xm runs xenconsole on the host"),
            xenapi: Not("a console has the address of a screen, not its text"),
            argo: OWNERS,
        },
        OpKind::UseConsole => Row {
            stage: Running,
            http: Not("the same page over a WebSocket: http_console.rs"),
            legacy: Not("xm runs xenconsole on the host"),
            xenapi: Not("a console has the address of a screen, not its text"),
            argo: OWNERS,
        },
        OpKind::UseScreen => Row {
            stage: Running,
            http: By(&["GET /xend/domain/$domain/screen"]),
            legacy: Not("xm runs a VNC viewer on the host"),
            xenapi: Not("a console has the address of a screen, which viewers open themselves"),
            argo: OWNERS,
        },
        OpKind::ReadSavedConfig => Row {
            stage: Saved,
            http: By(&["GET /xend/saved"]),
            legacy: INTERNAL,
            xenapi: Not("Async.VM.restore reads it to show the progress of the VM"),
            argo: INTERNAL,
        },
        OpKind::ReadEvents => nowhere(Running, STREAMS),
        OpKind::ReadHistory => nowhere(Running, PAGE),
        OpKind::ReadSamples => Row {
            stage: Running,
            http: By(&["GET /xend/domain/$domain/history"]),
            legacy: NO_HISTORY,
            xenapi: NO_HISTORY,
            argo: NO_HISTORY,
        },
        OpKind::ReadGuestStore => Row {
            stage: Running,
            http: NO_STORE,
            legacy: NO_STORE,
            xenapi: By(&[
                r#"host.call_plugin ["$host","xenstore.py","read_record",{"dom_id":"$domid","path":"name"}]"#,
                r#"host.call_plugin ["$host","xenstore.py","list_records",{"dom_id":"$domid","path":"vm-data"}]"#,
            ]),
            argo: NO_STORE,
        },
        OpKind::ReadInventory => xenapi(
            Running,
            &["VDI.get_all []", "VDI.get_all_records []", "network.get_all_records []"],
        ),
        OpKind::ShowHost => Row {
            stage: Running,
            http: By(&["GET /xend/node", "GET /xend/node/history?span=week"]),
            legacy: By(&["xend.node.info []", "xend.node.info [false]"]),
            xenapi: By(&[
                r#"host.get_record ["$host"]"#,
                r#"host.get_software_version ["$host"]"#,
                "host_metrics.get_all_records []",
            ]),
            argo: OWNERS,
        },
        OpKind::ShowFleet | OpKind::PlanEvacuation => nowhere(Running, FLEET),
        OpKind::ShowLoad => Row {
            stage: Running,
            http: NO_LOAD,
            legacy: NO_LOAD,
            xenapi: NO_LOAD,
            argo: By(&["load"]),
        },
        OpKind::ShowHardware => Row {
            stage: Running,
            http: By(&["GET /xend/node/pci"]),
            legacy: Not("xend.node.pciinfo has one answer for all"),
            xenapi: By(&[
                "PPCI.get_all_records []",
                "PSCSI.get_all_records []",
                "PSCSI_HBA.get_all_records []",
                "host_cpu.get_all_records []",
            ]),
            argo: OWNERS,
        },
        OpKind::ShowInterfaces => Row {
            stage: Running,
            http: By(&["GET /xend/node/network"]),
            legacy: NO_OBJECTS,
            xenapi: By(&["PIF.get_all_records []", "PIF_metrics.get_all_records []"]),
            argo: OWNERS,
        },
        OpKind::ShowPools => Row {
            stage: Running,
            http: By(&["GET /xend/node/pool"]),
            legacy: By(&["xend.cpu_pool.list []", r#"xend.cpu_pool.list [["Pool-0"]]"#]),
            xenapi: By(&["cpu_pool.get_all_records []"]),
            argo: OWNERS,
        },
        OpKind::ShowStorage => Row {
            stage: Running,
            http: By(&["GET /xend/node/storage"]),
            legacy: NO_OBJECTS,
            xenapi: By(&["SR.get_all_records []", "PBD.get_all_records []"]),
            argo: OWNERS,
        },
        OpKind::ShowVnets => Row {
            stage: Running,
            http: By(&["GET /xend/vnet", "GET /xend/vnet/lan"]),
            legacy: NO_VNETS,
            xenapi: NO_VNETS,
            argo: NO_VNETS,
        },
        OpKind::ReadDmesg => Row {
            stage: Running,
            http: By(&["GET /xend/node/dmesg"]),
            legacy: By(&["xend.node.dmesg.info []"]),
            xenapi: By(&[r#"host.dmesg ["$host"]"#]),
            argo: By(&["dmesg"]),
        },
        OpKind::ReadMetrics => nowhere(Running, METRICS),
        OpKind::ShowAccounts => Row {
            stage: Running,
            http: By(&["GET /xend/node/user"]),
            legacy: NO_ACCOUNTS,
            xenapi: NO_ACCOUNTS,
            argo: NO_ACCOUNTS,
        },
        OpKind::ReadLog => Row {
            stage: Running,
            http: By(&["GET /xend/node/log"]),
            legacy: By(&["xend.node.log []"]),
            xenapi: By(&[r#"host.get_log ["$host"]"#]),
            argo: OWNERS,
        },
    }
}
