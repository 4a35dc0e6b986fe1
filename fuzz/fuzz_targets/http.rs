//! Requests to xend's HTTP interface: METHOD TARGET, the type of the body, and the body, a line
//! each. No request makes a handler panic.
#![no_main]

use axum::body::Body;
use axum::http::Request;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use xend_fuzz::Host;

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::start());
}

fn request(bytes: &[u8]) -> Option<Request<Body>> {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    let kind = lines.next()?;
    let body = lines.next().unwrap_or_default().to_vec();
    let request = Request::builder().method(method).uri(target).header("content-type", kind);
    request.body(Body::from(body)).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let Some(request) = request(bytes) else { return };
    HOST.with_borrow_mut(|host| {
        host.renew();
        let wire = host.http.clone();
        host.ask(&wire, request);
    });
});
