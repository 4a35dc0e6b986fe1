//! Every function and operation of xend 4.1.6 exists here.

use crate::http_support::{Daemon, guest};
use crate::legacy_support::{LegacyClient, text};
use std::path::Path;
use xend::wire::xmlrpc::Value;

fn rows(file: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

#[test]
fn every_legacy_function_exists_with_its_parameters() {
    let client = LegacyClient::new(&[]);
    let Ok(Value::Array(names)) = client.call("system.listMethods", &[]) else { panic!() };
    let rows = rows("xmlrpc/functions.txt");
    assert!(rows.len() > 85, "{}", rows.len());
    for row in rows {
        let [name, least, most] = row.as_slice() else { panic!("{row:?}") };
        assert!(names.contains(&text(name)), "{name} is missing");
        // The introspection functions have no help.
        if name.starts_with("system.") {
            continue;
        }
        let Ok(Value::Text(help)) = client.call("system.methodHelp", &[text(name)]) else {
            panic!()
        };
        let parameters = help.split_once('(').unwrap().1.trim_end_matches(')');
        let all: Vec<&str> =
            parameters.split(", ").filter(|parameter| !parameter.is_empty()).collect();
        let required = all.iter().filter(|parameter| !parameter.starts_with('[')).count();
        let least: usize = least.parse().unwrap();
        let most: usize = most.parse().unwrap();
        assert!(required <= least && all.len() >= most, "{help}; xend took {least} to {most}");
    }
}

#[test]
fn every_http_operation_exists() {
    let daemon = Daemon::start(&[]);
    let rows = rows("trace/operations.txt");
    assert!(rows.len() > 35, "{}", rows.len());
    assert_eq!(daemon.post("/xend/vnet", "op=create&config=(vnet (id 1))").code, 200);
    for row in rows {
        let [path, op] = row.as_slice() else { panic!("{row:?}") };
        if daemon.domain("web").is_none() {
            assert_eq!(daemon.create(&guest("web", "")).code, 201);
        }
        let answer = daemon.post(path, &format!("op={op}"));
        // Missing parameters fail with another code.
        assert!(![404, 405, 501].contains(&answer.code), "{path} {op}: {}", answer.status());
    }
    assert_eq!(daemon.post("/xend/domain/web", "op=no_such").code, 501);
}
