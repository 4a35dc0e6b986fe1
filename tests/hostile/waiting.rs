//! Clients that wait for events.

use crate::clients::{call, log_in, text};
use crate::victim::{Victim, scaled};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn clients_that_wait_for_events_keep_no_read_waiting() {
    let victim = Victim::start("");
    let domains = scaled(3_000);
    victim.define((0..domains).map(|number| format!("d{number}")));
    let socket = victim.path("xen-api");
    let sessions: Vec<String> = (0..20).map(|_| log_in(&socket)).collect();
    let all = "<param><value><array><data><value>*</value></data></array></value></param>";
    for session in &sessions {
        call(&socket, "event.register", &[text(session), all.to_owned()].concat());
    }
    let ended = AtomicBool::new(false);
    let attack = format!("20 clients in event.next with {domains} domains");
    victim.under(&attack, || {
        thread::scope(|scope| {
            for session in &sessions {
                scope.spawn(|| {
                    while !ended.load(Ordering::SeqCst) {
                        let answer = call(&socket, "event.next", &text(session));
                        assert!(answer.contains("methodResponse"), "{answer:.500}");
                    }
                });
            }
            for number in 0..20 {
                let name = format!("d{}", number % domains);
                victim.post(&format!("/xend/domain/{name}"), "op=start");
                thread::sleep(Duration::from_millis(100));
            }
            ended.store(true, Ordering::SeqCst);
            // The last changes, for those who still wait.
            for number in 0..20 {
                let name = format!("d{}", number % domains);
                victim.post(&format!("/xend/domain/{name}"), "op=pause");
                thread::sleep(Duration::from_millis(50));
            }
            for session in &sessions {
                call(&socket, "session.logout", &text(session));
            }
        });
    });
}
