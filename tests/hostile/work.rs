//! Small requests with much work.

use crate::victim::{Victim, is_full};
use std::fmt::Write as _;
use std::thread;

fn escaped(config: &str) -> String {
    config.replace(' ', "+").replace('&', "%26")
}

/// Requests that once took all cores for seconds, with the words of the answer.
fn requests() -> Vec<(&'static str, String, String)> {
    let devices = if is_full() { 20_000 } else { 2_000 };
    let mut with_devices = String::new();
    let mut with_irqs = String::new();
    for number in 0..devices {
        write!(with_devices, "(device (vif (bridge xenbr{number})))").unwrap();
        write!(with_irqs, "(device (irq (irq {number})))").unwrap();
    }
    let ranges = "0-4095,".repeat(if is_full() { 75_000 } else { 7_500 });
    let config = |name: &str, more: &str| {
        let config =
            format!("(vm (name {name}) (memory 64) (image (linux (kernel /boot/vmlinuz))) {more})");
        format!("op=create&config={}", escaped(&config))
    };
    vec![
        ("devices", "/xend/domain".to_owned(), config("vifs", &with_devices)),
        ("irq devices", "/xend/domain".to_owned(), config("irqs", &with_irqs)),
        ("cpus", "/xend/domain".to_owned(), config("cpus", &format!("(cpus '{ranges}0')"))),
        ("pincpu", "/xend/domain/web".to_owned(), format!("op=pincpu&vcpu=0&cpumap={ranges}0")),
    ]
}

#[test]
fn small_requests_with_much_work_keep_no_read_waiting() {
    let victim = Victim::start("(xend-max-body 2097152)");
    victim.define(["web".to_owned()]);
    victim.post("/xend/domain/web", "op=start");
    for (what, target, form) in requests() {
        let attack = format!("{what}: 8 clients with {} KiB each", form.len() >> 10);
        victim.under(&attack, || {
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for _ in 0..4 {
                            let (status, body) = victim.post(&target, &form);
                            assert!(
                                [200, 201, 413, 500].contains(&status),
                                "{what}: {status} {body:.200}"
                            );
                        }
                    });
                }
            });
        });
    }
}
