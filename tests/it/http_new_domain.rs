//! The form that creates domains: fields, the S-expression that they make, edited ones, and how it
//! ends.

use crate::http_host_support::stored;
use crate::http_support::{Answer, Daemon, encoded, open_page, send_form};

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let start = format!(r#"type="hidden" name="{name}" value=""#);
    let value = page.split(&start).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    value.split('"').next().unwrap().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn form(name: &str, more: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("op", "create"),
        ("type", "pvh"),
        ("name", name),
        ("memory", "64"),
        ("vcpus", "1"),
        ("kernel", "/boot/vmlinuz"),
        ("disk", "none"),
        ("bridge", "xenbr0"),
    ];
    for (key, value) in more {
        fields.retain(|(known, _)| known != key);
        fields.push((key, value));
    }
    let pairs = fields.iter().map(|(key, value)| format!("{key}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Sends the form, and follows it to its end.
fn create(daemon: &Daemon, form: &str) -> Answer {
    let answer = send_form(daemon, "/xend/new", form);
    let Some(progress) = answer.header("location").filter(|to| to.starts_with("/xend/new/")) else {
        return answer;
    };
    let mut last = None;
    daemon.until("the end of the creation", |daemon| {
        let page = open_page(daemon, progress);
        let has_ended = page.code != 200;
        last = Some(page);
        has_ended
    });
    last.unwrap()
}

#[test]
fn fields_make_a_domain_and_lead_to_its_page() {
    let daemon = Daemon::start(&[]);
    for (name, more, state) in [
        ("both", &[("start", "1"), ("managed", "1")][..], "-"),
        ("started", &[("start", "1")], "-"),
        ("built", &[], "p"),
    ] {
        let answer = create(&daemon, &form(name, more));
        assert_eq!(answer.code, 303, "{}", answer.text());
        assert_eq!(answer.header("location"), Some(format!("/xend/domain/{name}").as_str()));
        assert_eq!(&daemon.value(name, "state")[2..3], state, "{name}");
    }
    let defined = create(&daemon, &form("defined", &[("managed", "1")]));
    assert_eq!(defined.code, 303, "{}", defined.text());
    assert_eq!(daemon.get("/xend/domain?state=halted").text(), "(defined)");
    daemon.post("/xend/domain/both", "op=destroy");
    assert_eq!(daemon.get("/xend/domain?state=halted").text(), "(both defined)");
}

#[test]
fn a_new_image_is_made_with_the_domain_and_goes_if_that_fails() {
    let daemon = Daemon::start(&[]);
    let page = open_page(&daemon, "/xend/new").text();
    let image = hidden(&page, "new_image");
    let path = daemon.dir.path().join(format!("state/storage/{image}.img"));
    let new = [("disk", "new"), ("size", "2"), ("new_image", image.as_str()), ("managed", "1")];
    let text =
        send_form(&daemon, "/xend/new", &form("web1", &[&new[..], &[("op", "preview")]].concat()));
    assert!(hidden(&text.text(), "made").contains(&format!("{image}.img")), "{}", text.text());
    assert!(!path.exists(), "a preview makes nothing");

    // A kernel that is not there: the domain cannot be built.
    let more = [&new[..3], &[("start", "1"), ("kernel", "/nosuch/kernel")]].concat();
    let failed = create(&daemon, &form("web1", &more));
    assert_eq!(failed.code, 422, "{}", failed.text());
    assert!(failed.text().contains("/nosuch/kernel"), "{}", failed.text());
    assert!(!path.exists(), "the image of a domain that was not created is left");

    let created = create(&daemon, &form("web1", &new));
    assert_eq!(created.code, 303, "{}", created.text());
    assert_eq!(path.metadata().unwrap().len(), 2 << 30);
    let next = open_page(&daemon, "/xend/new").text();
    assert!(
        next.contains(r#"name="disk" value="image""#)
            && next.contains("web1 (2 GiB, attached to web1)"),
        "{next}"
    );
}

#[test]
fn a_text_that_was_edited_counts() {
    let daemon = Daemon::start(&[]);
    let page = send_form(&daemon, "/xend/new", &form("web1", &[("op", "preview")])).text();
    let made = hidden(&page, "made");
    assert!(made.contains("(name web1)") && made.contains("(bridge xenbr0)"), "{made}");
    // As browsers send it, with CR LF. Then the name is changed in the field alone.
    let sent = made.replace('\n', "\r\n");
    let same = [("made", sent.as_str()), ("config", sent.as_str()), ("managed", "1")];
    assert_eq!(create(&daemon, &form("web2", &same)).header("location"), Some("/xend/domain/web2"));
    // Now in the text.
    let edited = sent.replace("web1", "web3").replace("(memory 64)", "(memory 96)");
    let other = [("made", sent.as_str()), ("config", edited.as_str()), ("managed", "1")];
    assert_eq!(
        create(&daemon, &form("web2", &other)).header("location"),
        Some("/xend/domain/web3")
    );
    assert_eq!(daemon.value("web3", "memory"), "96");
}

#[test]
fn what_is_wrong_is_described_where_it_is() {
    let daemon = Daemon::start(&[]);
    let refused = |code: u16, more: &[(&str, &str)]| {
        let answer = create(&daemon, &form("web1", more));
        assert_eq!(answer.code, code, "{}", answer.text());
        answer.text()
    };
    let wrong = |more: &[(&str, &str)]| refused(422, more);
    let described = r#"aria-invalid="true" aria-describedby="error" autofocus"#;
    for (field, value) in [("name", "a/b"), ("memory", "0"), ("kernel", ""), ("vcpus", "x")] {
        let page = wrong(&[(field, value)]);
        let (_, rest) = page.split_once(&format!(r#" name="{field}""#)).unwrap();
        let (input, _) = rest.split_once('>').unwrap();
        assert!(input.contains(described), "{field}: {page}");
        assert!(page.contains(&format!("Invalid value for {field}: ")), "{page}");
    }
    let text = "(vm (name web9)\n (description käse) (memory lots))";
    let page = wrong(&[("config", text), ("made", "(vm)")]);
    assert!(page.contains("Line 2, column 29"), "{page}");
    assert!(
        page.contains("<mark>lots</mark>") && page.contains("(memory lots))</textarea>"),
        "{page}"
    );
    assert!(page.contains(described), "{page}");

    assert_eq!(create(&daemon, &form("web1", &[("managed", "1")])).code, 303);
    let page = refused(409, &[]);
    assert!(page.contains("there is a domain web1, choose another name"), "{page}");
}

#[test]
fn a_domain_that_cannot_be_started_stays_defined() {
    let daemon = Daemon::start(&[]);
    let more = [("start", "1"), ("managed", "1"), ("kernel", "/nosuch/kernel")];
    let answer = create(&daemon, &form("web1", &more));
    assert_eq!(answer.code, 422, "{}", answer.text());
    let page = answer.text();
    assert!(page.contains("web1 was not started") && page.contains("/nosuch/kernel"), "{page}");
    assert!(page.contains(r#"<a href="/xend/domain/web1">"#), "{page}");
    assert_eq!(daemon.get("/xend/domain?state=halted").text(), "(web1)");
}

#[test]
fn only_pages_have_the_form() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.post("/xend/new", &form("web1", &[])).code, 501);
    assert_eq!(open_page(&daemon, "/xend/new/1").code, 404);
    assert!(open_page(&daemon, "/xend/new?template=hvm").text().contains("(boot c)"));
}

#[test]
fn a_form_that_is_sent_again_with_another_name_makes_another_image() {
    let daemon = Daemon::start(&[]);
    let page = open_page(&daemon, "/xend/new").text();
    let image = hidden(&page, "new_image");
    let new = [("disk", "new"), ("size", "1"), ("new_image", image.as_str()), ("managed", "1")];
    let created = create(&daemon, &form("web1", &new));
    assert_eq!(created.header("location"), Some("/xend/domain/web1"), "{}", created.text());
    // The same form once more makes neither a domain nor an image.
    let again = create(&daemon, &form("web1", &new));
    assert_eq!(again.code, 409, "{}", again.text());
    assert_ne!(hidden(&again.text(), "new_image"), image);
    assert_eq!(stored(&daemon).len(), 1);

    let second = create(&daemon, &form("web2", &new));
    assert_eq!(second.header("location"), Some("/xend/domain/web2"), "{}", second.text());
    // Somebody has edited the text, in which the image of the first domain is.
    let text = hidden(&again.text(), "made").replace(&hidden(&again.text(), "new_image"), &image);
    let edited = text.replace("web1", "web3");
    assert!(edited.contains(&image), "{edited}");
    let more = [&new[..], &[("made", text.as_str()), ("config", edited.as_str())]].concat();
    let third = create(&daemon, &form("web3", &more));
    assert_eq!(third.header("location"), Some("/xend/domain/web3"), "{}", third.text());
    let mut disks: Vec<String> = ["web1", "web2", "web3"]
        .iter()
        .map(|name| daemon.domain(name).unwrap().to_string())
        .map(|domain| domain.split("(uname ").nth(1).unwrap().split(')').next().unwrap().to_owned())
        .collect();
    assert!(disks[0].contains(&image), "{disks:?}");
    disks.sort();
    disks.dedup();
    assert_eq!((disks.len(), stored(&daemon).len()), (3, 3), "{disks:?}");
}
