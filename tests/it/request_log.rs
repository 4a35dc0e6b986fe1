//! The debug log: a line for each request on each wire, with the reason of a refusal, and no
//! secrets.

use crate::http_support::{Daemon, Listener, ask, encoded, guest, post};
use crate::xenapi_support::{Client, text};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

/// The lines of the log with this text.
fn lines(daemon: &Daemon, part: &str) -> Vec<String> {
    daemon.wait_for_log(part);
    daemon.log().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
}

/// The only line with this text, which is a debug line.
fn only(daemon: &Daemon, part: &str) -> String {
    let found = lines(daemon, part);
    let [line] = found.as_slice() else { panic!("{part}: {found:?}") };
    assert!(line.contains("] DEBUG ("), "{line}");
    line.clone()
}

#[test]
fn http_logs_reads_and_what_is_refused_before_the_engine() {
    let daemon = Daemon::start(&["--log", "debug"]);
    assert_eq!(daemon.get("/xend/node").code, 200);
    assert!(only(&daemon, "GET /xend/node ").contains("status=200"));
    assert_eq!(daemon.get("/xend/domain/nosuch").code, 404);
    let line = only(&daemon, "GET /xend/domain/nosuch");
    assert!(line.contains("status=404 error=\"No such domain nosuch\""), "{line}");
    assert_eq!(daemon.post("/xend/domain/Domain-0", "op=puase").code, 501);
    let line = only(&daemon, "POST /xend/domain/Domain-0");
    assert!(
        line.contains("error=\"Operation not implemented: puase, did you mean pause?"),
        "{line}"
    );
    let config = encoded("(vm (name web) (memory 64) (vcpus 9999) (vncpasswd geheim))");
    assert_eq!(daemon.post("/xend/domain", &format!("op=create&config={config}")).code, 500);
    let line = only(&daemon, "POST /xend/domain ");
    assert!(line.contains("vcpus: 9999 is out of range, 1 to 128"), "{line}");
    let json = "{\"op\": \"create\", \"config\": {\"nam\": \"geheim\"}}";
    let request = format!(
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    );
    assert_eq!(ask(&Listener::Tcp(daemon.tcp), request.as_bytes()).code, 422);
    let line = lines(&daemon, "POST /xend/domain ").pop().unwrap();
    assert!(line.contains("status=422 error=\"Unknown parameter config.nam"), "{line}");
    assert_eq!(ask(&Listener::Tcp(daemon.tcp), &post("/xend/domain?op=%6e", "")).code, 501);
    assert!(!daemon.log().contains("geheim"), "{}", daemon.log());
}

#[test]
fn reads_and_refusals_are_not_in_the_usual_log() {
    let daemon = Daemon::start(&[]);
    daemon.get("/xend/domain/nosuch");
    daemon.post("/xend/domain/Domain-0", "op=puase");
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    let log = daemon.log();
    assert!(log.contains("op=\"create\"") && !log.contains("nosuch") && !log.contains("puase"));
}

#[test]
fn xml_rpc_logs_each_call_without_its_parameters() {
    let client = Client::with(&["--log", "debug"]);
    let daemon = &client.daemon;
    client.call("host.get_all", &[]).unwrap();
    let line = only(daemon, "method=\"host.get_all\"");
    assert!(!line.contains("error="), "{line}");
    client.call("VM.get_by_uuid", &[text("nosuch")]).unwrap_err();
    assert!(
        only(daemon, "method=\"VM.get_by_uuid\"").contains("error=\"HANDLE_INVALID VM nosuch\"")
    );
    client.bare("VM.get_all", &[text("geheim")]).unwrap_err();
    assert!(only(daemon, "method=\"VM.get_all\"").contains("error=SESSION_INVALID"));
    client.bare("session.nosuch", &[text("geheim"), text("geheim")]).unwrap_err();
    assert!(only(daemon, "method=\"session.nosuch\"").contains("MESSAGE_METHOD_UNKNOWN"));
    client.raw("xend.domain", &[text("nosuch")]).unwrap_err();
    assert!(only(daemon, "method=\"xend.domain\"").contains("error=nosuch"));
    client.raw("xend.domain.create", &[text("geheim")]).unwrap_err();
    assert!(only(daemon, "method=\"xend.domain.create\"").contains("error="));
    assert!(!daemon.log().contains("geheim"), "{}", daemon.log());
}

#[test]
fn argo_logs_each_command_without_its_arguments() {
    let daemon = Daemon::start(&["--log", "debug", "--argo", "127.0.0.1:0"]);
    let argo = daemon.announced.iter().find_map(|line| line.strip_prefix("Argo on "));
    let address = argo.unwrap().trim_start_matches("argo://").trim_end_matches('/').to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"auth steve geheim\nnosuch geheim\n").unwrap();
    let mut answers = BufReader::new(stream).lines();
    for _ in 0..2 {
        while !answers.next().unwrap().unwrap().starts_with("400 ") {}
    }
    assert!(only(&daemon, "command=\"auth\"").contains("error="));
    assert!(only(&daemon, "command=\"nosuch\"").contains("error="));
    assert!(!daemon.log().contains("geheim"), "{}", daemon.log());
}

#[test]
fn a_device_that_does_not_connect_is_a_warning() {
    let daemon = Daemon::start(&[]);
    let disk = "(device (vbd (uname phy:/dev/hotplugerror) (dev xvdc) (mode w!)))";
    assert_eq!(daemon.create(&guest("web", disk)).code, 201);
    assert_eq!(daemon.post("/xend/domain/web", "op=wait_for_devices").code, 500);
    daemon.wait_for_log("/dev/hotplugerror does not exist.");
    let attach = encoded("(vbd (uname phy:/dev/hotplugerror) (dev xvdb) (mode w!))");
    let answer = daemon.post("/xend/domain/web", &format!("op=device_create&config={attach}"));
    assert_eq!(answer.code, 500);
    daemon.wait_for_log("op=\"device_create\"");
    let failed = lines(&daemon, "/dev/hotplugerror does not exist.");
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed.iter().all(|line| line.contains("] WARNING (")), "{failed:?}");
    // A refusal is none.
    assert_eq!(daemon.post("/xend/domain/Domain-0", "op=pause").code, 500);
    let refused = lines(&daemon, "Cannot pause privileged domain 0").pop().unwrap();
    assert!(refused.contains("] INFO ("), "{refused}");
}
