//! Lists of records: they are sent again while nothing has changed, and show each change at once.

use crate::http_support::guest;
use crate::xenapi_support::{Client, as_text, members, record, records, strings, text};
use std::collections::BTreeMap;
use xend::wire::xmlrpc::Value;

/// Classes whose lists are kept between calls, and whose objects do not change by themselves.
const KEPT: [&str; 5] = ["VM", "VBD", "VIF", "console", "VDI"];

/// Fields that change by themselves.
const MOVING: [&str; 2] = ["last_updated", "runtime_properties"];

type Records = BTreeMap<String, BTreeMap<String, Value>>;

fn settled(mut records: Records) -> Records {
    for record in records.values_mut() {
        record.retain(|field, _| !MOVING.contains(&field.as_str()));
    }
    records
}

/// The records of a class, each read by itself.
fn read_one_by_one(client: &Client, class: &str) -> Records {
    let all = strings(&client.call(&format!("{class}.get_all"), &[]).unwrap());
    let record = |reference: String| {
        let read = client.call(&format!("{class}.get_record"), &[text(&reference)]).unwrap();
        (reference, members(read))
    };
    all.into_iter().map(record).collect()
}

/// Compares the lists with records that are read one by one.
fn check_lists(client: &Client, after: &str) {
    for class in KEPT {
        let listed = settled(records(client, class));
        assert_eq!(listed, settled(read_one_by_one(client, class)), "{class} after {after}");
        assert_eq!(settled(records(client, class)), listed, "{class} again");
    }
}

#[test]
fn lists_show_each_change_at_once() {
    let client = Client::populated();
    check_lists(&client, "the start");
    let vm = client.vm("web");
    let call = |method: &str, params: &[Value]| {
        let answer = client.call(method, params).unwrap();
        check_lists(&client, method);
        answer
    };
    let on_vm = |method: &str, params: &[Value]| {
        call(&format!("VM.{method}"), &[std::slice::from_ref(&vm), params].concat())
    };
    on_vm("set_name_description", &[text("new")]);
    on_vm("add_to_other_config", &[text("key"), text("value")]);
    on_vm("pause", &[]);
    on_vm("unpause", &[]);
    on_vm("set_memory_dynamic_max_live", &[text(&(32_u64 << 20).to_string())]);
    let vdi = call(
        "VDI.create",
        &[record(&[
            ("SR", client.sr()),
            ("name_label", text("x")),
            ("virtual_size", text("4096")),
            ("type", text("user")),
        ])],
    );
    call("VDI.set_name_label", &[vdi.clone(), text("y")]);
    call("VDI.set_virtual_size", &[vdi.clone(), text("8192")]);
    let disk = [
        ("VM", vm.clone()),
        ("VDI", vdi.clone()),
        ("device", text("xvdb")),
        ("mode", text("RW")),
        ("type", text("Disk")),
    ];
    let vbd = call("VBD.create", &[record(&disk)]);
    assert_eq!(records(&client, "VDI")[as_text(&vdi)]["VBDs"], Value::Array(vec![vbd.clone()]));
    call("VBD.set_bootable", &[vbd.clone(), Value::Bool(true)]);
    call("VBD.destroy", &[vbd]);
    call("network.create", &[record(&[("name_label", text("br7"))])]);
    let network = client.one("network.get_by_name_label", &[text("br7")]);
    call("VIF.create", &[record(&[("VM", vm.clone()), ("network", network)])]);
    let pool = call("cpu_pool.create", &[record(&[("name_label", text("fast"))])]);
    let first_pool = client.one("cpu_pool.get_by_name_label", &[text("Pool-0")]);
    let cpus = strings(&client.call("host_cpu.get_all", &[]).unwrap());
    let cpu = text(cpus.last().unwrap());
    call("cpu_pool.remove_host_CPU_live", &[first_pool, cpu]);
    call("cpu_pool.activate", std::slice::from_ref(&pool));
    on_vm("cpu_pool_migrate", std::slice::from_ref(&pool));
    let shown = &records(&client, "VM")[as_text(&vm)]["cpu_pool"];
    assert_eq!(*shown, Value::Array(vec![pool]));
    on_vm("set_name_label", &[text("other")]);
    // Another client, over another wire.
    assert_eq!(client.daemon.create(&guest("more", "")).code, 201);
    check_lists(&client, "a creation");
    assert_eq!(client.daemon.post("/xend/domain/more", "op=destroy").code, 202);
    check_lists(&client, "a destruction");
    on_vm("hard_shutdown", &[]);
    call("VDI.destroy", &[vdi]);
}

/// A task keeps the list that it was answered with, and shows it whole.
#[test]
fn a_task_has_a_list_as_its_result() {
    let client = Client::populated();
    let listed = client.call("VBD.get_all_records", &[]).unwrap();
    let task = client.call("Async.VBD.get_all_records", &[]).unwrap();
    client.daemon.until("the task ends", |_| {
        client.call("task.get_status", std::slice::from_ref(&task)) == Ok(text("success"))
    });
    let result = client.call("task.get_result", std::slice::from_ref(&task)).unwrap();
    let Value::Struct(result) = result else { panic!("{result:?}") };
    let Value::Struct(listed) = listed else { panic!("{listed:?}") };
    let references = |records: &[(String, Value)]| -> Vec<String> {
        records.iter().map(|(reference, _)| reference.clone()).collect()
    };
    assert_eq!(references(&result), references(&listed));
    assert_eq!(result.len(), 1);
}
