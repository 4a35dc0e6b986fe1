use super::*;
use crate::config::Tunables;
use std::net::SocketAddr;

fn guard() -> Guard {
    let tunables =
        Tunables { allowed_hosts: vec!["xen.example.org".into()], ..Tunables::default() };
    let tunables = Arc::new(arc_swap::ArcSwap::from_pointee(tunables));
    Guard { own_names: ["vmhost".to_owned(), "vmhost.lan".to_owned()].into(), tunables }
}

fn tcp() -> Via {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    Via::Tcp { peer: address, local: address, encrypted: false }
}

fn check(
    via: &Via,
    method: &Method,
    target: &str,
    headers: &[(&'static str, &str)],
) -> Result<(), Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    guard().check_head(Some(via), method, &target.parse().unwrap(), &map)
}

#[test]
fn over_tcp_the_host_must_be_this_machine() {
    let own = [
        "localhost",
        "LocalHost:8000",
        "localhost.",
        "xend.localhost:80",
        "127.0.0.1",
        "127.0.0.1:8000",
        "192.0.2.7:9000",
        "[::1]",
        "[::1]:8000",
        "[2001:db8::7]:8000",
        "vmhost",
        "VMHOST.lan:8000",
        "xen.example.org",
        "Xen.Example.Org.:8000",
        "",
    ];
    for host in own {
        assert_eq!(check(&tcp(), &Method::GET, "/", &[("host", host)]), Ok(()), "{host}");
    }
    let foreign = [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "notlocalhost",
        "example.org",
        "a.xen.example.org",
        "127.0.0.1.evil.example",
        "127.1",
        "0x7f000001",
        "[evil]",
        "[::1",
        "[::1].evil.example",
        "127.0.0.1@evil.example",
        "localhost:8000.evil.example",
        "localhost:80@evil.example",
        "::1",
    ];
    for host in foreign {
        let refused = Err(Refusal::Host(host.to_owned()));
        assert_eq!(check(&tcp(), &Method::GET, "/", &[("host", host)]), refused, "{host}");
        assert_eq!(check(&tcp(), &Method::POST, "/", &[("host", host)]), refused, "{host}");
    }
}

#[test]
fn clients_without_a_host_pass() {
    assert_eq!(check(&tcp(), &Method::GET, "/", &[]), Ok(()));
    assert_eq!(check(&tcp(), &Method::POST, "/", &[]), Ok(()));
}

#[test]
fn every_host_of_a_request_is_checked() {
    let two = [("host", "localhost"), ("host", "evil.example")];
    assert!(check(&tcp(), &Method::GET, "/", &two).is_err());
    assert!(check(&tcp(), &Method::GET, "http://evil.example/", &[("host", "localhost")]).is_err());
    assert_eq!(check(&tcp(), &Method::GET, "http://localhost/", &[("host", "localhost")]), Ok(()));
}

#[test]
fn on_a_unix_socket_any_host_passes() {
    let unix = Via::Unix { uid: Some(0), pid: None };
    assert_eq!(check(&unix, &Method::POST, "/", &[("host", "evil.example")]), Ok(()));
}

#[test]
fn a_request_without_a_caller_is_checked_as_over_tcp() {
    let headers = HeaderMap::from_iter([(HOST, "evil.example".parse().unwrap())]);
    assert!(guard().check_head(None, &Method::GET, &"/".parse().unwrap(), &headers).is_err());
}

#[test]
fn a_post_from_a_page_of_another_site_is_refused() {
    let unix = Via::Unix { uid: None, pid: None };
    let h = "localhost:8000";
    let cases: &[(&[(&'static str, &str)], bool)] = &[
        (&[("host", h)], true),
        (&[("host", h), ("origin", "http://localhost:8000")], true),
        (&[("host", h), ("origin", "http://LOCALHOST:8000")], true),
        (&[("host", "localhost"), ("origin", "http://localhost")], true),
        (&[("host", "localhost:80"), ("origin", "http://localhost")], true),
        (&[("host", "localhost"), ("origin", "https://localhost")], true),
        (
            &[("host", h), ("origin", "http://localhost:8000"), ("sec-fetch-site", "same-origin")],
            true,
        ),
        (&[("host", h), ("sec-fetch-site", "none")], true),
        (&[("host", h), ("origin", "http://localhost:8001")], false),
        (&[("host", h), ("origin", "http://localhost")], false),
        (&[("host", h), ("origin", "http://127.0.0.1:8000")], false),
        (&[("host", h), ("origin", "http://evil.example")], false),
        (&[("host", h), ("origin", "http://localhost:8000.evil.example")], false),
        (&[("host", h), ("origin", "null")], false),
        (&[("host", h), ("origin", "")], false),
        (&[("host", h), ("origin", "file://")], false),
        (
            &[("host", h), ("origin", "http://localhost:8000"), ("origin", "http://evil.example")],
            false,
        ),
        (&[("origin", "http://localhost:8000")], false),
        (&[("host", h), ("referer", "http://localhost:8000/xend/domain/?state=all")], true),
        (&[("host", h), ("referer", "http://localhost:8000")], true),
        (&[("host", h), ("referer", "")], true),
        (&[("host", h), ("referer", "/xend/domain")], true),
        (&[("referer", "/xend/domain/?url=http://evil.example/")], true),
        (&[("host", h), ("referer", "/")], true),
        (&[("host", h), ("referer", "//evil.example/xend/domain")], false),
        (&[("host", h), ("referer", "/\\evil.example/xend/domain")], false),
        (&[("host", h), ("referer", "/xend/domain"), ("origin", "http://evil.example")], false),
        (
            &[
                ("host", h),
                ("origin", "http://localhost:8000"),
                ("referer", "http://evil.example/"),
            ],
            true,
        ),
        (&[("host", h), ("referer", "http://evil.example/")], false),
        (&[("host", h), ("referer", "http://evil.example/http://localhost:8000/")], false),
        (&[("host", h), ("referer", "http://evil.example?http://localhost:8000/")], false),
        (&[("host", h), ("referer", "http://localhost:8000@evil.example/")], false),
        (&[("host", h), ("referer", "http://localhost:8001/")], false),
        (&[("host", h), ("referer", "about:blank")], false),
        (&[("referer", "http://localhost:8000/")], false),
        (&[("host", h), ("sec-fetch-site", "cross-site")], false),
        (&[("host", h), ("sec-fetch-site", "same-site")], false),
        (
            &[("host", h), ("origin", "http://localhost:8000"), ("sec-fetch-site", "same-site")],
            false,
        ),
    ];
    for (headers, passes) in cases {
        for via in [tcp(), unix.clone()] {
            for method in [Method::POST, Method::PUT] {
                let expected = if *passes { Ok(()) } else { Err(Refusal::CrossSite) };
                assert_eq!(check(&via, &method, "/", headers), expected, "{headers:?}");
            }
            assert_eq!(check(&via, &Method::GET, "/", headers), Ok(()), "{headers:?}");
        }
    }
}

#[test]
fn a_reload_changes_the_allowed_names() {
    let guard = guard();
    assert!(!guard.is_own_host("new.example"));
    let tunables = Tunables { allowed_hosts: vec!["new.example".into()], ..Tunables::default() };
    guard.tunables.store(Arc::new(tunables));
    assert!(guard.is_own_host("new.example:80"));
    assert!(!guard.is_own_host("xen.example.org"));
}
