//! The Xen-API's objects beside VMs: they outlive the daemon, and disks find their images.

use crate::http_support::{Daemon, Listener, encoded};
use crate::xenapi_support::{Client, strings, text};
use xend::wire::xmlrpc::Value;

/// Sorts the members of structs by their names, at all depths.
fn by_name(value: Value) -> Value {
    match value {
        Value::Struct(members) => {
            let mut members: Vec<_> =
                members.into_iter().map(|(key, value)| (key, by_name(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Struct(members)
        }
        other => other,
    }
}

#[test]
fn objects_outlive_a_daemon_that_is_killed() {
    let client = Client::new();
    let record = |members: &[(&str, Value)]| {
        Value::Struct(
            members.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        )
    };
    let make = |class: &str, members: &[(&str, Value)]| {
        client
            .call(&format!("{class}.create"), &[record(members)])
            .unwrap_or_else(|error| panic!("{class}: {error:?}"))
    };
    let sr = client.sr();
    let host = client.one("host.get_all", &[]);
    let vdi = make(
        "VDI",
        &[
            ("SR", sr),
            ("name_label", text("root")),
            ("virtual_size", text("4096")),
            ("type", text("user")),
        ],
    );
    let network =
        make("network", &[("name_label", text("br7")), ("name_description", text("for guests"))]);
    client
        .call("PIF.create_VLAN", &[text("eth0"), network.clone(), host.clone(), text("7")])
        .unwrap();
    let cpu = strings(&client.call("host_cpu.get_all", &[]).unwrap()).remove(3);
    let pool0 = client.one("cpu_pool.get_by_name_label", &[text("Pool-0")]);
    client.call("cpu_pool.remove_host_CPU_live", &[pool0, text(&cpu)]).unwrap();
    let pool =
        make("cpu_pool", &[("name_label", text("fast")), ("auto_power_on", Value::Bool(true))]);
    client.call("cpu_pool.activate", &[pool]).unwrap();
    let client_data = record(&[("owner", text("me"))]);
    let memory = ("memory_dynamic_max", text("67108864"));
    let vm = make(
        "VM",
        &[
            ("name_label", text("web")),
            memory,
            ("PV_kernel", text("/k")),
            ("other_config", client_data),
        ],
    );
    make("VBD", &[("VM", vm.clone()), ("VDI", vdi), ("device", text("xvda"))]);
    make("VIF", &[("VM", vm.clone()), ("network", network), ("MAC", text("00:16:3e:00:00:07"))]);
    make(
        "console",
        &[
            ("VM", vm.clone()),
            ("protocol", text("rfb")),
            ("other_config", record(&[("vncpasswd", text("x"))])),
        ],
    );
    client.call("VM.start", &[vm.clone(), Value::Bool(true)]).unwrap();
    client.call("VM.set_user_version", &[vm.clone(), text("7")]).unwrap();
    client.call("host.add_to_other_config", &[host, text("rack"), text("7")]).unwrap();
    let classes = [
        "VM", "VBD", "VIF", "console", "VDI", "SR", "PBD", "network", "PIF", "cpu_pool", "host",
        "pool",
    ];
    let all = |client: &Client| {
        classes.map(|class| {
            (class, by_name(client.call(&format!("{class}.get_all_records"), &[]).unwrap()))
        })
    };
    let storage = |records: [(&'static str, Value); 12]| {
        // How full the disk is depends on the machine.
        records.into_iter().filter(|(class, _)| *class != "SR").collect::<Vec<_>>()
    };
    let before = all(&client);
    let Listener::Unix(socket) = &client.listener else { panic!() };
    let socket = socket.clone();
    let (_, dir) = client.daemon.end(rustix::process::Signal::KILL);
    let daemon = Daemon::start_in(dir, &["--xen-api", socket.to_str().unwrap()]);
    let mut again = Client { daemon, listener: Listener::Unix(socket), session: Value::Nil };
    again.session = again.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    for (before, after) in storage(before).into_iter().zip(storage(all(&again))) {
        assert_eq!(before, after);
    }
    // The running VM goes on, and its definition is there after a shutdown.
    again.call("VM.hard_shutdown", std::slice::from_ref(&vm)).unwrap();
    assert_eq!(again.call("VM.get_user_version", &[vm]), Ok(text("7")));
}

/// A definition of another host can name a VDI that this host never had.
#[test]
fn a_disk_with_an_unknown_vdi_has_the_image_at_its_path() {
    let client = Client::new();
    let sr = client.sr();
    let member = |key: &str, value: &Value| (key.to_owned(), value.clone());
    let record = Value::Struct(vec![
        member("SR", &sr),
        member("name_label", &text("root")),
        member("virtual_size", &text("4096")),
        member("type", &text("user")),
    ]);
    let vdi = client.call("VDI.create", &[record]).unwrap();
    let Value::Text(uuid) = vdi.clone() else { panic!() };
    let file = client.daemon.dir.path().join(format!("state/storage/{uuid}.img"));
    assert!(file.exists(), "{}", file.display());
    let location = format!("file:{}", file.display());
    let config = format!(
        "(vm (name web) (memory 64) (image (linux (kernel /k))) \
         (device (vbd (uname {location}) (dev xvda) (mode w) \
         (VDI 11111111-2222-3333-4444-555555555555))))"
    );
    assert_eq!(
        client.daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&config))).code,
        200
    );
    let image = |vm: &Value| {
        let vbd = client.one("VM.get_VBDs", std::slice::from_ref(vm));
        client.call("VBD.get_VDI", &[vbd]).unwrap()
    };
    let vm = client.vm("web");
    assert_eq!(image(&vm), vdi);
    client.call("VM.clone", &[vm.clone(), text("copy")]).unwrap();
    let copied = image(&client.vm("copy"));
    assert_ne!(copied, vdi, "the copy has an image of its own");
    assert_eq!(client.call("VDI.get_virtual_size", &[copied]), Ok(text("4096")));
    assert_eq!(image(&vm), vdi);
}
