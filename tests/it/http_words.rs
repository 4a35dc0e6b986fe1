//! The words of pages: labels instead of the names that programs send, and ways back that exist.

use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest, open_page, send_form};

fn heading(page: &Answer) -> String {
    let text = page.text();
    let heading = text.split("<h1>").nth(1).unwrap_or_default();
    heading.split("</h1>").next().unwrap_or_default().to_owned()
}

fn result(page: &Answer) -> String {
    let text = page.text();
    let message = text.split("<p class=\"message").nth(1).unwrap_or_default();
    let message = message.split_once('>').unwrap_or_default().1;
    message.split("</p>").next().unwrap_or_default().to_owned()
}

#[test]
fn results_and_errors_have_the_labels_of_the_forms() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    let page = "/xend/domain/pv1";
    let done = send_form(&daemon, page, "op=maxmem_set&memory=128");
    assert_eq!(result(&done), "Done: Set maximum memory on domain pv1.");
    for (form, title, reason) in [
        ("op=mem_target_set&target=", "Set memory failed", "Memory"),
        ("op=domain_sched_credit_set", "Set credit parameters failed", "Fill in Weight or Limit"),
        ("op=device_destroy&type=vbd&dev=xvdz", "Detach device failed", "xvdz"),
        ("op=pincpu&vcpu=x&cpumap=0", "Pin VCPUs failed", "Invalid value for VCPU: "),
    ] {
        let failed = send_form(&daemon, page, form);
        assert_eq!(heading(&failed), title, "{form}");
        assert!(result(&failed).contains(reason), "{form}: {}", result(&failed));
    }
    // Programs get what they have always got.
    let text = daemon.post(page, "op=domain_sched_credit_set").text();
    assert_eq!(text, "(xend.err 'Missing parameter: weight')");
    let events = open_page(&daemon, "/xend/journal").text();
    assert!(events.contains("Set maximum memory") && !events.contains("maxmem_set"), "{events}");
    let list = open_page(&daemon, "/xend/domain").text();
    assert!(list.contains(r#"data-label="Type">Domain-0</td>"#), "{list}");
    let refused = send_form(&daemon, "/xend/selection", "op=rename&domain=pv1");
    assert_eq!(heading(&refused), "The request failed");
    let image = send_form(&daemon, "/xend/node/storage", "op=create&size=999999999");
    assert!(result(&image).contains("999999999 is above 16777216 MiB"), "{}", result(&image));
}

#[test]
fn no_way_back_leads_to_what_is_gone_or_twice_to_the_list() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    for target in ["/xend/task/xyz", "/xend/vnet/nosuch", "/xend/node/storage/nosuch"] {
        let page = open_page(&daemon, target);
        let list = target.rsplit_once('/').unwrap().0;
        let back = format!("class=\"button\" href=\"{list}\">Back to");
        assert!(page.text().contains(&back), "{target}: {}", page.text());
    }
    let renamed = send_form(&daemon, "/xend/domain/pv1", "op=rename&name=pv2").text();
    assert!(renamed.contains("All domains") && !renamed.contains("Back to"), "{renamed}");
    let config = encoded("(vnet (id 1) (vnetif v1))");
    daemon.post("/xend/vnet", &format!("op=create&config={config}"));
    let deleted = send_form(&daemon, "/xend/vnet/1", "op=delete");
    assert_eq!(deleted.code, 200, "{deleted:?}");
    assert!(deleted.text().contains("href=\"/xend/vnet\">Back to the virtual networks"));
}

#[test]
fn a_websocket_of_another_version_is_told_the_right_one() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    let head = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 12\r\n";
    let request = format!("GET /xend/domain/pv1/console HTTP/1.1\r\n{head}\r\n");
    let answer = ask(&Listener::Tcp(daemon.tcp), request.as_bytes());
    assert_eq!((answer.code, answer.header("sec-websocket-version")), (426, Some("13")));
}

#[test]
fn a_guest_without_a_screen_is_not_blamed_on_the_host() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    let page = open_page(&daemon, "/xend/domain/pv1/screen").text();
    assert!(!page.contains("The host does not support this"), "{page}");
}

#[test]
fn a_console_is_connected_by_the_uuid() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    let uuid = daemon.value("pv1", "uuid");
    let page = open_page(&daemon, "/xend/domain/pv1/console").text();
    assert!(page.contains(&format!("data-socket=\"/xend/domain/{uuid}/console\"")), "{page}");
    assert!(page.contains(&format!("domain={uuid}\"")), "{page}");
}
