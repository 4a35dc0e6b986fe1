use super::*;
use crate::core::caller::Via;
use crate::core::rights::{Access, Account, Credential, User};
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Extension;
use axum::middleware::from_fn_with_state;
use std::net::SocketAddr;
use std::sync::Mutex;
use tower::ServiceExt as _;

/// Knows the password `gehéim:x` of every user, and notes what it is asked.
#[derive(Default)]
struct OnePassword {
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Logins for OnePassword {
    async fn log_in(&self, user: &str, password: &str, _: &Via) -> Result<Arc<User>, LoginError> {
        self.asked.lock().unwrap().push(user.to_owned());
        match (user, password) {
            ("busy", _) => Err(LoginError::Busy),
            ("broken", _) => Err(LoginError::Broken("no PAM".to_owned())),
            (name, "gehéim:x") => {
                Ok(Arc::new(User::new(Account::new(name, Credential::None, Access::default()))))
            }
            _ => Err(LoginError::Refused("a reason for the log".to_owned())),
        }
    }

    fn by_uid(&self, _: u32) -> Option<Arc<User>> {
        None
    }

    fn anonymous(&self) -> Option<Arc<User>> {
        None
    }
}

fn tcp(peer: [u8; 4], encrypted: bool) -> Via {
    let local = SocketAddr::from(([192, 0, 2, 1], 8000));
    Via::Tcp { peer: SocketAddr::from((peer, 4711)), local, encrypted }
}

fn loopback() -> Caller {
    Caller::nobody(tcp([127, 0, 0, 1], false))
}

fn basic_header(credentials: &str) -> String {
    format!("Basic {}", Base64::encode_string(credentials.as_bytes()))
}

/// The answer of a wire that tells who asks: status, header and text.
async fn ask(caller: Caller, authorization: Option<&str>) -> (StatusCode, HeaderMap, String) {
    let (answer, _) = ask_noting(caller, authorization).await;
    answer
}

/// The same, with the users whose passwords were checked.
async fn ask_noting(
    caller: Caller,
    authorization: Option<&str>,
) -> ((StatusCode, HeaderMap, String), Vec<String>) {
    let logins = Arc::new(OnePassword::default());
    let who = |Extension(caller): Extension<Caller>| async move { format!("{caller:?}") };
    let app = Router::new()
        .fallback(who)
        .layer(from_fn_with_state(BasicAuth::new(logins.clone()), BasicAuth::check));
    let mut request = Request::get("/").extension(caller);
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    let answer = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = answer.into_parts();
    let text = to_bytes(body, 10_000).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let asked = logins.asked.lock().unwrap().clone();
    ((head.status, head.headers, text), asked)
}

#[tokio::test]
async fn the_right_password_makes_the_caller_a_user() {
    let header = basic_header("steve:gehéim:x");
    for header in [header.clone(), header.replace("Basic ", "BASIC  "), format!("{header} ")] {
        let (status, _, text) = ask(loopback(), Some(&header)).await;
        assert!(status == StatusCode::OK && text.contains("steve"), "{header}: {text}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_asked_for_again() {
    let plain = |text: &str| format!("Basic {text}");
    for header in [
        basic_header("steve:wrong"),
        basic_header("steve"),
        basic_header(""),
        plain("c3Rl*mU6eA=="),
        plain("c3RldmU6eA"),
        // Bytes that are no UTF-8.
        plain("/////w=="),
    ] {
        let (status, headers, text) = ask(loopback(), Some(&header)).await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::UNAUTHORIZED, "Wrong user or password.\n")
        );
        assert_eq!(headers[WWW_AUTHENTICATE], r#"Basic realm="xend", charset="UTF-8""#);
    }
    let (status, headers, _) = ask(loopback(), Some(&basic_header("busy:x"))).await;
    assert_eq!((status, &headers[RETRY_AFTER]), (StatusCode::SERVICE_UNAVAILABLE, &RETRY_SECONDS));
    let (status, _, text) = ask(loopback(), Some(&basic_header("broken:x"))).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!text.contains("PAM"), "the reason is for the log: {text}");
}

#[tokio::test]
async fn without_a_password_the_wire_decides() {
    for header in [None, Some("Bearer abc"), Some("Basic"), Some("Digest username=\"steve\"")] {
        let ((status, _, text), asked) = ask_noting(loopback(), header).await;
        assert!(status == StatusCode::OK && text.contains("Nobody"), "{header:?}: {text}");
        assert_eq!(asked, [""; 0]);
    }
}

#[tokio::test]
async fn passwords_do_not_cross_a_network_in_the_clear() {
    let header = basic_header("steve:gehéim:x");
    let remote = |encrypted| Caller::nobody(tcp([192, 0, 2, 7], encrypted));
    let ((status, _, text), asked) = ask_noting(remote(false), Some(&header)).await;
    assert!(status == StatusCode::FORBIDDEN && text.contains("TLS"), "{text}");
    assert_eq!(asked, [""; 0], "the password is not even checked");
    let (status, _, text) = ask(remote(true), Some(&header)).await;
    assert!(status == StatusCode::OK && text.contains("steve"), "{text}");
}

#[tokio::test]
async fn an_operator_needs_no_password() {
    let operator = Caller::operator(Via::Unix { uid: Some(0), pid: None });
    let ((status, _, text), asked) = ask_noting(operator, Some(&basic_header("x:y"))).await;
    assert!(status == StatusCode::OK && text.contains("Operator"), "{text}");
    assert_eq!(asked, [""; 0]);
}
