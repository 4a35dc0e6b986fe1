//! The login page and its sessions.

use crate::http_accounts_support::{
    AccountsHost, BROWSER, JSON, NAVIGATION, OWN_PAGE, PASSWORD, account,
};
use xend::core::op::DomainOp;
use xend::core::rights::Right;

const RIGHT: &str = "user=steve&password=correct+horse";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_sent_to_the_login_page_and_back() {
    let host = AccountsHost::start().await;
    for (target, next) in [
        ("/", "%2F"),
        ("/xend/domain?state=all", "%2Fxend%2Fdomain%3Fstate%3Dall"),
        ("/xend/domain/secret", "%2Fxend%2Fdomain%2Fsecret"),
        ("/nosuch", "%2Fnosuch"),
    ] {
        let answer = host.get(target, NAVIGATION);
        assert_eq!(answer.status(), "303 See Other");
        let location = format!("/xend/login?next={next}");
        assert_eq!(answer.header("location"), Some(location.as_str()));
        let page = host.get(&location, NAVIGATION);
        assert_eq!(page.status(), "200 OK");
        assert!(page.text().contains(r#"<form method="post" action="/xend/login">"#));
    }
    let late = host.post("/xend/domain/lj?x=y", &format!("{NAVIGATION}{OWN_PAGE}"), "op=pause");
    assert_eq!(late.header("location"), Some("/xend/login?next=%2Fxend%2Fdomain%2Flj"));
    for (next, location) in [
        ("/xend/domain/lj", "/xend/domain/lj"),
        ("/", "/"),
        ("", "/xend/domain"),
        ("//evil.example", "/xend/domain"),
        ("/%5Cevil.example", "/xend/domain"),
        ("https%3A%2F%2Fevil.example%2Fxend%2F", "/xend/domain"),
        ("/xend/%0d%0aSet-Cookie:+a", "/xend/domain"),
        ("/xend/logout", "/xend/domain"),
    ] {
        let answer = host.post("/xend/login", NAVIGATION, &format!("{RIGHT}&next={next}"));
        assert_eq!(answer.status(), "303 See Other");
        assert_eq!(answer.header("location"), Some(location), "{next}");
    }
    let cookie = host.log_in("steve");
    let again = host.get("/xend/login?next=//evil.example", &format!("{NAVIGATION}{cookie}"));
    assert_eq!(again.header("location"), Some("/xend/domain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_asked_for_http_basic() {
    let host = AccountsHost::start().await;
    let challenge = "Basic realm=\"xend\", charset=\"UTF-8\"";
    for target in ["/", "/xend/domain", "/xend/domain/lj", "/xend/events", "/nosuch"] {
        for (headers, body) in [
            ("", "(xend.err 'Log in: send the name"),
            (JSON, r#"{"type":"/xend/openapi.json#/components/x-problems/not_logged_in"#),
            (BROWSER, "<!DOCTYPE html>"),
            ("User-Agent: curl/8\r\nAccept: */*\r\n", "Log in: send the name"),
        ] {
            let answer = host.get(target, headers);
            assert_eq!(answer.status(), "401 Unauthorized", "{target} {headers}");
            assert_eq!(answer.header("www-authenticate"), Some(challenge));
            assert!(answer.text().starts_with(body), "{target} {headers}: {answer:?}");
            assert_eq!(host.post(target, headers, "op=pause").status(), "401 Unauthorized");
        }
        let page = host.get(&format!("{target}?a=1"), BROWSER).text();
        let next = target.replace('/', "%2F");
        let link = format!(r#"<a href="/xend/login?next={next}%3Fa%3D1">Log in</a>"#);
        assert!(page.contains(&link), "{page}");
        // Otherwise the browser would ask for a password when the session of an open page ends.
        for background in
            ["Sec-Fetch-Mode: cors\r\n", &format!("Cookie: xend-session={:064}\r\n", 0)]
        {
            let answer = host.get(target, &format!("{BROWSER}{background}"));
            assert_eq!(answer.status(), "401 Unauthorized");
            assert_eq!(answer.header("www-authenticate"), Some("Cookie realm=\"xend\""));
        }
    }
    let page = host.get("/xend/login", NAVIGATION).text();
    let assets = page.split('"').filter(|part| part.starts_with("/xend/assets/"));
    for asset in assets {
        let answer = host.get(asset, "");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lasts_from_login_to_logout() {
    let host = AccountsHost::start().await;
    let answer = host.post("/xend/login", NAVIGATION, RIGHT);
    let set = answer.header("set-cookie").unwrap();
    let (cookie, attributes) = set.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");
    let (name, token) = cookie.split_once('=').unwrap();
    assert!(name == "xend-session" && token.len() == 64, "{cookie}");
    let cookie = format!("Cookie: {cookie}\r\n");
    let page = host.get("/xend/domain", &format!("{NAVIGATION}{cookie}"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let text = page.text();
    assert!(text.contains("<span>steve</span>"), "{text}");
    assert!(text.contains(r#"<form method="post" action="/xend/logout">"#), "{text}");
    assert!(!text.contains(token) && !text.contains("secret"), "{text}");
    assert_eq!(host.get("/xend/domain", &cookie).text(), "(lj)");
    // A second login begins another session; the first one of this browser ends.
    let second = host.post("/xend/login", &format!("{NAVIGATION}{OWN_PAGE}{cookie}"), RIGHT);
    let second = second.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let second = format!("Cookie: {second}\r\n");
    assert_ne!(second, cookie);
    assert_eq!(host.get("/xend/domain", &cookie).code, 401);
    assert_eq!(host.get("/xend/domain", &second).code, 200);
    let mut events = host.events("", &second);
    assert_eq!(events.next().unwrap()["kind"], "listening");
    let answer = host.post("/xend/logout", &format!("{NAVIGATION}{OWN_PAGE}{second}"), "");
    assert_eq!((answer.code, answer.header("location")), (303, Some("/xend/login")));
    assert!(answer.header("set-cookie").unwrap().ends_with("; Max-Age=0"), "{answer:?}");
    assert_eq!(host.get("/xend/domain", &second).code, 401);
    host.change("lj", DomainOp::Pause).await;
    assert_eq!(events.next(), None, "the stream ends with the session");
    let ended = host.get("/xend/login", &format!("{NAVIGATION}{second}")).text();
    assert!(ended.contains("Your session has ended. Log in again."), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_password_of_the_account() {
    let host = AccountsHost::start().await;
    let cookie = host.log_in("steve");
    let other = account("steve", "another", &[Right::Power]);
    host.accounts.replace(vec![account("steve", "a", &[Right::See])], None);
    assert_eq!(host.get("/xend/domain", &cookie).code, 200, "it has other rights");
    let pause = host.post("/xend/domain/lj", &format!("{OWN_PAGE}{cookie}"), "op=pause");
    assert!(pause.text().contains("pause needs the right power on lj"), "{pause:?}");
    host.accounts.replace(vec![other], None);
    assert_eq!(host.get("/xend/domain", &cookie).code, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_shown_nowhere() {
    let host = AccountsHost::start().await;
    let tried = "hunter2&%22%3E%3Cscript%3E";
    for (form, status, text) in [
        (format!("user=steve&password={tried}"), "403 Forbidden", "name or the password is wrong"),
        ("user=nosuch&password=correct+horse".to_owned(), "403 Forbidden", "password is wrong"),
        ("user=steve".to_owned(), "403 Forbidden", "password is wrong"),
        (String::new(), "403 Forbidden", "password is wrong"),
        ("user=busy&password=x".to_owned(), "503 Service Unavailable", "Many logins are waiting"),
        ("user=broken&password=x".to_owned(), "500 Internal server error", "Ask the operator"),
    ] {
        let answer = host.post("/xend/login", NAVIGATION, &form);
        assert_eq!(answer.status(), status, "{form}");
        let page = answer.text();
        assert!(page.contains(text) && page.contains(r#"role="alert""#), "{page}");
        assert!(!page.contains("hunter2") && !page.contains("no entropy"), "{page}");
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("retry-after").is_some(), status.starts_with("503"));
    }
    // In the query, nothing is a password.
    let answer = host.post(&format!("/xend/login?{RIGHT}"), NAVIGATION, "");
    assert_eq!(answer.status(), "403 Forbidden");
    let large = format!("user=steve&password={}", "x".repeat(20_000));
    assert_eq!(host.post("/xend/login", NAVIGATION, &large).code, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_a_cookie_comes_from_a_page() {
    let host = AccountsHost::start().await;
    let cookie = host.log_in("steve");
    let post = |headers: &str| {
        host.post("/xend/domain/lj", &format!("{cookie}{headers}"), "op=sysrq&key=115").status()
    };
    for own in
        [OWN_PAGE, "Sec-Fetch-Site: same-origin\r\n", "Referer: http://localhost/xend/domain\r\n"]
    {
        assert_eq!(post(own), "202 Accepted", "{own}");
    }
    for foreign in [
        "",
        "Referer: \r\n",
        "Origin: http://localhost:9000\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Referer: http://evil.example/\r\n",
    ] {
        assert_eq!(post(foreign), "403 Forbidden", "{foreign}");
    }
    let refused = host.post("/xend/domain/lj", &format!("{cookie}{BROWSER}"), "op=pause").text();
    assert!(refused.contains("A script logs in with HTTP Basic instead."), "{refused}");
    // A script has no cookie, and no origin.
    let by_basic = host.post("/xend/domain/lj", "X-User: steve\r\n", "op=pause");
    assert_eq!(by_basic.status(), "200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_cookies_do_not_cross_a_network_in_the_clear() {
    let host = AccountsHost::start().await;
    let far = "X-Peer: 192.0.2.7:4711\r\n";
    let page = host.get("/xend/login", &format!("{NAVIGATION}{far}"));
    assert!(page.code == 403 && page.text().contains("accepted over TLS"), "{page:?}");
    assert!(!page.text().contains(r#"type="password""#));
    assert_eq!(host.post("/xend/login", &format!("{NAVIGATION}{far}"), RIGHT).code, 403);
    let cookie = host.log_in("steve");
    assert_eq!(host.get("/xend/domain", &format!("{cookie}{far}")).code, 401);
    let tls = format!("{far}X-Encrypted: 1\r\n");
    let answer = host.post("/xend/login", &format!("{NAVIGATION}{tls}"), RIGHT);
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-xend-session="), "{set}");
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"), "{set}");
    let secure = format!("Cookie: {}\r\n", set.split(';').next().unwrap());
    assert_eq!(host.get("/xend/domain", &format!("{secure}{tls}")).text(), "(lj)");
    assert_eq!(host.get("/xend/domain", &secure).code, 401, "it is a cookie of TLS");
    let page = host.get("/xend", &format!("{secure}{tls}{BROWSER}")).text();
    assert!(page.contains("https://localhost/xend/domain"), "{page}");
    assert!(!answer.text().contains(PASSWORD));
}
