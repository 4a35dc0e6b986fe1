//! Calls over XML-RPC: no call makes a function panic, and every answer is one.
#![no_main]

use axum::body::Body;
use axum::http::Request;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use xend::wire::xmlrpc::codec::{XmlLimits, read_answer};
use xend_fuzz::Host;

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::start());
}

fuzz_target!(|bytes: &[u8]| {
    HOST.with_borrow_mut(|host| {
        host.renew();
        let request = Request::post("/RPC2").body(Body::from(bytes.to_vec())).unwrap();
        let wire = host.xmlrpc.clone();
        let answer = host.ask(&wire, request);
        if let Ok(text) = std::str::from_utf8(&answer) {
            assert!(text.is_empty() || read_answer(text, &XmlLimits::default()).is_ok(), "{text}");
        }
    });
});
