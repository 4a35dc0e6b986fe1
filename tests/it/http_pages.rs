//! Pages in a browser: headers, static files, filters, forms.

use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest};

fn browse(daemon: &Daemon, target: &str, more: &str) -> Answer {
    let head = "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html,*/*;q=0.8\r\n\
                Upgrade-Insecure-Requests: 1\r\nConnection: close\r\n";
    ask(&Listener::Tcp(daemon.tcp), format!("GET {target} HTTP/1.1\r\n{head}{more}\r\n").as_bytes())
}

const PAGES: [&str; 24] = [
    "/xend/domain",
    "/xend/domain/pv1",
    "/xend/domain/pv1?op=vcpuinfo",
    "/xend/domain/pv1/confirm?op=destroy",
    "/xend/domain/pv1/console",
    "/xend/domain/pv1/history",
    "/xend/new",
    "/xend/selection?op=pause&domain=pv1",
    "/xend/node",
    "/xend/node/history",
    "/xend/node/dmesg",
    "/xend/node/storage",
    "/xend/node/network",
    "/xend/node/pool",
    "/xend/node/pci",
    "/xend/node/user",
    "/xend/saved",
    "/xend/journal",
    "/xend/task",
    "/xend/node/log",
    "/xend/vnet",
    "/xend/help",
    "/xend/help?part=xml-rpc",
    "/xend/help?part=xen-api&q=pause",
];

#[test]
fn pages_have_security_headers() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    for path in PAGES.into_iter().chain(["/xend/domain/nosuch", "/nosuch"]) {
        let page = browse(&daemon, path, "");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(
            policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(page.header("referrer-policy"), Some("same-origin"), "{path}");
    }
}

#[test]
fn a_browser_is_sent_to_the_list() {
    let daemon = Daemon::start(&[]);
    for path in ["/", "/xend", "/xend/"] {
        let answer = browse(&daemon, path, "");
        assert_eq!((answer.code, answer.header("location")), (303, Some("/xend/domain")), "{path}");
    }
    // Others get what xend answered.
    assert_eq!(daemon.get("/").text(), "(ls)");
    assert_eq!(daemon.get("/xend").text(), "(ls node domain vnet)");
    let head = "Host: localhost\r\nUser-Agent: Python-urllib/2.4\r\nAccept: text/html\r\n";
    let request = format!("GET /xend HTTP/1.1\r\n{head}\r\n");
    let page = ask(&Listener::Tcp(daemon.tcp), request.as_bytes());
    assert!(page.code == 200 && page.text().contains("/xend/node\">node</a>"), "{}", page.text());
}

#[test]
fn the_logo_has_a_size_without_the_stylesheet() {
    let daemon = Daemon::start(&[]);
    let page = browse(&daemon, "/xend/domain", "").text();
    for image in page.split("<img ").skip(1) {
        let image = image.split('>').next().unwrap();
        assert!(image.contains(" width=\"24\"") && image.contains(" height=\"24\""), "{image}");
    }
    assert_eq!(page.matches("<img ").count(), 1);
}

/// The largest domains have a colour each, the others are together.
#[test]
fn the_bars_of_a_host_with_many_domains_have_few_parts() {
    let daemon = Daemon::start(&[]);
    for n in 0..12 {
        daemon.create(&guest(&format!("small{n}"), ""));
    }
    daemon.create(&guest("large", "").replace("(memory 64)", "(memory 512)"));
    let page = browse(&daemon, "/xend/node", "").text();
    let bars: Vec<&str> = page.split("<svg class=\"big bar\"").skip(1).collect();
    assert_eq!(bars.len(), 2, "{page}");
    for bar in &bars {
        let bar = bar.split("</svg>").next().unwrap();
        let classes: Vec<_> = bar
            .split("rect class=\"")
            .skip(1)
            .map(|rect| rect.split('"').next().unwrap())
            .collect();
        let mut distinct = classes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert!(classes.len() >= 8 && distinct.len() == classes.len(), "{classes:?}");
    }
    assert!(page.contains(">7 others</a>") && page.contains(">large</a>"), "{page}");
    // What is free is one figure.
    let free = page.split(" free<").next().unwrap().rsplit(' ').next().unwrap();
    assert!(page.contains(&format!("free_memory: {free}<")), "{free}: {page}");
    assert_eq!(page.matches("MiB free").count(), 0, "{page}");
}

#[test]
fn static_files_exist_and_are_cached() {
    let daemon = Daemon::start(&[]);
    let page = browse(&daemon, "/xend/domain", "").text();
    let paths: Vec<&str> =
        page.split('"').filter(|part| part.starts_with("/xend/assets/")).collect();
    assert!(paths.len() >= 3, "{page}");
    for path in paths {
        let asset = browse(&daemon, path, "");
        assert_eq!(asset.code, 200, "{path}");
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(asset.header("x-content-type-options"), Some("nosniff"));
        let media = asset.header("content-type").unwrap();
        assert!(
            ["text/css", "text/javascript", "image/svg+xml"]
                .iter()
                .any(|one| media.starts_with(one))
        );
        // A page of another version of the daemon gets the current file, which is not cached.
        let (_, name) = path.rsplit_once('/').unwrap();
        let other = browse(&daemon, &format!("/xend/assets/0000/{name}"), "");
        assert_eq!((other.code, other.header("cache-control")), (200, Some("no-cache")));
    }
    assert_eq!(browse(&daemon, "/xend/assets/0000/nosuch.css", "").code, 404);
}

#[test]
fn only_pages_are_compressed() {
    let daemon = Daemon::start(&[]);
    let gzip = "Accept-Encoding: gzip, deflate\r\n";
    assert_eq!(browse(&daemon, "/xend/domain", gzip).header("content-encoding"), Some("gzip"));
    assert_eq!(browse(&daemon, "/xend/domain", "").header("content-encoding"), None);
    for accept in ["application/sxp", "application/json"] {
        let head = format!(
            "Host: localhost\r\nUser-Agent: python-requests/2\r\nAccept: {accept}\r\n{gzip}"
        );
        let target = "GET /xend/domain?detail=1 HTTP/1.1\r\n";
        let answer = ask(&Listener::Tcp(daemon.tcp), format!("{target}{head}\r\n").as_bytes());
        assert_eq!(answer.header("content-encoding"), None);
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    }
}

#[test]
fn the_list_is_filtered_and_sorted_by_the_server() {
    let daemon = Daemon::start(&[]);
    for (name, memory) in [("web1", 64), ("web2", 256), ("db", 128)] {
        let config =
            format!("(vm (name {name}) (memory {memory}) (image (linux (kernel /boot/vmlinuz))))");
        daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&config)));
    }
    let names = |query: &str| -> Vec<String> {
        let page = browse(&daemon, &format!("/xend/domain?state=halted{query}"), "").text();
        let rows = page.split("<tr data-name=\"").skip(1);
        rows.map(|row| row.split('"').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(""), ["db", "web1", "web2"]);
    assert_eq!(names("&desc=1"), ["web2", "web1", "db"]);
    assert_eq!(names("&q=WEB"), ["web1", "web2"]);
    assert_eq!(names("&name=web1"), ["web1"]);
    assert_eq!(names("&sort=memory"), ["web1", "db", "web2"]);
    assert_eq!(names("&sort=memory&desc=1"), ["web2", "db", "web1"]);
    for sort in ["id", "state", "vcpus", "cpu", "uptime"] {
        assert_eq!(names(&format!("&sort={sort}")).len(), 3, "{sort}");
    }
    let tabs = browse(&daemon, "/xend/domain", "").text();
    assert!(tabs.contains("Halted (3)") && tabs.contains("On the host (1)"), "{tabs}");
}

#[test]
fn a_downloaded_configuration_creates_the_domain_again() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", "(device (vfb (type vnc) (vncpasswd geheim)))"));
    let file = daemon.get("/xend/domain/pv1/config");
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"pv1.sxp\""));
    assert!(!file.text().contains("geheim"), "{}", file.text());
    daemon.post("/xend/domain/pv1", "op=destroy");
    assert_eq!(daemon.create(&file.text()).code, 201);
    assert_eq!(daemon.get("/xend/domain/nosuch/config").code, 404);
}

#[test]
fn an_error_is_shown_and_keeps_the_text() {
    let daemon = Daemon::start(&[]);
    let send = |form: &str| {
        let head = "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\
                    Connection: close\r\n";
        let length = form.len();
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let text = format!(
            "POST /xend/domain HTTP/1.1\r\n{head}{kind}\r\nContent-Length: {length}\r\n\r\n{form}"
        );
        ask(&Listener::Tcp(daemon.tcp), text.as_bytes()).text()
    };
    let restore = send("op=restore&file=%2Fnosuch");
    assert!(restore.contains("/nosuch") && !restore.contains("Line 1"), "{restore}");
    let nothing = send("op=create");
    assert!(
        nothing.contains("the file is empty, or none was chosen") && !nothing.contains("Line 1"),
        "{nothing}"
    );
    let of_xm = send(&format!("op=create&config={}", encoded("name=\"xm1\"\nmemory=64")));
    assert!(of_xm.contains("xend convert FILE makes one of a file of xm"), "{of_xm}");
    let wrong = send(&format!("op=new&config={}", encoded("(vm (name x) (memory lots))")));
    assert!(
        wrong.contains("Line 1, column 22") && wrong.contains("(memory lots))</textarea>"),
        "{wrong}"
    );
    daemon.create(&guest("pv1", ""));
    let taken = send(&format!("op=create&config={}", encoded(&guest("pv1", ""))));
    assert!(taken.contains("already exists") && taken.contains("Choose another name"), "{taken}");
}

#[test]
fn only_operations_that_lose_data_have_a_confirmation() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    let page = browse(&daemon, "/xend/domain/pv1/confirm?op=destroy", "").text();
    assert!(page.contains("Destroy pv1?") && page.contains(r#"value="destroy""#), "{page}");
    for (op, reason) in [
        ("pause", "pause needs no confirmation, POST op=pause to /xend/domain/pv1"),
        ("nonsense", "There is no operation nonsense here"),
        ("", "Exactly one operation is expected"),
    ] {
        let answer = browse(&daemon, &format!("/xend/domain/pv1/confirm?op={op}"), "");
        assert!(answer.code == 400 && answer.text().contains(reason), "{op}: {answer:?}");
    }
    assert_eq!(browse(&daemon, "/xend/domain/nosuch/confirm?op=destroy", "").code, 404);
}

#[test]
fn a_domain_page_shows_its_history() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    daemon.post("/xend/domain/pv1", "op=unpause");
    daemon.post("/xend/domain/pv1", "op=set_vcpus&vcpus=99");
    let page = browse(&daemon, "/xend/domain/pv1", "").text();
    for part in ["<td>Create</td>", "<td>paused → running</td>", "failed</span> Set VCPUs: "] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(page.contains(r#"max="2""#), "number fields have bounds: {page}");
}
