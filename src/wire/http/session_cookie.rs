//! The cookie of a session.
//!
//! A script never sees it (`HttpOnly`), and a browser sends it with no request that another site
//! caused (`SameSite=Strict`): who follows a link from elsewhere sees the login page until the next
//! click. Over TLS it is never sent in the clear (`Secure`), and the prefix `__Host-` keeps other
//! hosts of the same domain and pages without TLS from setting it.

use super::sessions::Token;
use crate::core::caller::Via;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

const NAME: &str = "xend-session";
const NAME_OVER_TLS: &str = "__Host-xend-session";

/// The tokens that a request has. There can be several: cookies know no ports, so another server on
/// this machine may have set one.
pub(super) fn tokens(headers: &HeaderMap, via: &Via) -> impl Iterator<Item = Token> {
    let name = name(via);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = cookies.flat_map(|value| value.split(';'));
    let values =
        cookies.filter_map(move |cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='));
    values.filter_map(Token::parse).filter(|_| via.is_private())
}

/// The cookie of a session that begins.
pub(super) fn set(via: &Via, token: Token) -> Option<HeaderValue> {
    cookie(via, &token.text(), "")
}

/// The end of the cookie.
pub(super) fn clear(via: &Via) -> Option<HeaderValue> {
    cookie(via, "", "; Max-Age=0")
}

fn cookie(via: &Via, value: &str, more: &str) -> Option<HeaderValue> {
    let secure = if is_encrypted(via) { "; Secure" } else { "" };
    let name = name(via);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    HeaderValue::from_str(&text).ok().map(|mut cookie| {
        cookie.set_sensitive(true);
        cookie
    })
}

fn name(via: &Via) -> &'static str {
    if is_encrypted(via) { NAME_OVER_TLS } else { NAME }
}

fn is_encrypted(via: &Via) -> bool {
    matches!(via, Via::Tcp { encrypted: true, .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn via(peer: &str, encrypted: bool) -> Via {
        Via::Tcp { peer: peer.parse().unwrap(), local: SocketAddr::from(([0; 4], 1)), encrypted }
    }

    #[test]
    fn a_cookie_is_secure_over_tls() {
        let token = Token::new([0xab; 32]);
        let text = "ab".repeat(32);
        let plain = format!("xend-session={text}; Path=/; HttpOnly; SameSite=Strict");
        let set = |via: &Via| set(via, token).unwrap().to_str().unwrap().to_owned();
        assert_eq!(set(&via("127.0.0.1:4711", false)), plain);
        assert_eq!(set(&via("192.0.2.7:4711", true)), format!("__Host-{plain}; Secure"));
        let cleared = clear(&via("127.0.0.1:4711", false)).unwrap();
        assert!(
            cleared.to_str().unwrap().ends_with("=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
        );
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        let token = Token::new([7; 32]).text();
        let other = Token::new([8; 32]).text();
        let cookies = format!("a=b; xend-session={token};xend-session=x; xxend-session={other}");
        headers.append(COOKIE, cookies.parse().unwrap());
        headers.append(COOKIE, format!("__Host-xend-session={other}").parse().unwrap());
        let found = |peer: &str, encrypted| -> Vec<String> {
            tokens(&headers, &via(peer, encrypted)).map(Token::text).collect()
        };
        for loopback in ["127.0.0.1:4711", "[::ffff:127.0.0.1]:4711"] {
            assert_eq!(found(loopback, false), [token.as_str()]);
        }
        assert_eq!(found("192.0.2.7:4711", true), [other]);
        assert!(found("192.0.2.7:4711", false).is_empty());
    }
}
