//! Anything that hosts and guests do, in any order: in the end the agent answers.

use crate::guest::{DOMID, Guest, HOME};
use crate::machine::Moments;
use std::time::Duration;
use xend_xenstore::{Access, Client, Nodes, Permission};

const STEPS: usize = 400;

/// What may be there already, or gone.
fn ignore<T>(result: Result<T, xend_xenstore::Error>) {
    if let Err(error) = result {
        assert!(!error.is_lost(), "{error}");
    }
}

fn garbage(moments: &mut Moments) -> Vec<u8> {
    let pieces: [&[u8]; 14] = [
        b"{",
        b"}",
        b"\"name\"",
        b":",
        b"\"version\"",
        b"\"value\"",
        b",",
        b"[",
        b"]",
        b"\\",
        b"\xff",
        b"\0",
        b"\"injectfile\"",
        b"1e999",
    ];
    (0..moments.below(30)).flat_map(|_| pieces[moments.below(pieces.len())].to_vec()).collect()
}

/// One thing that happens.
fn step(guest: &mut Guest, program: &mut Client, moments: &mut Moments) {
    let directory = ["host", "guest"][moments.below(2)];
    let path = format!("data/{directory}");
    match moments.below(12) {
        0..=2 => drop(guest.put_raw(garbage(moments))),
        3 => {
            let id = guest.put("features", "");
            std::thread::sleep(moments.next(Duration::from_millis(3)));
            guest.remove_node(&format!("data/host/{id}"));
        }
        4 => guest.remove_node(&path),
        5 => ignore(program.remove(&path)),
        6 => {
            let permissions = [
                [Permission::new(Access::None, 0), Permission::new(Access::None, DOMID)],
                [Permission::new(Access::None, 0), Permission::new(Access::Read, DOMID)],
                [Permission::new(Access::None, DOMID), Permission::new(Access::None, 0)],
            ];
            let permissions = permissions[moments.below(3)];
            ignore(guest.host.set_permissions(&format!("{HOME}/{path}"), &permissions));
        }
        7 => {
            for _ in 0..moments.below(60) {
                ignore(program.write(&format!("data/guest/{}", guest.new_id()), b"{}"));
            }
        }
        8 => ignore(program.write("data/host/mine", &garbage(moments))),
        9 => {
            for _ in 0..moments.below(40) {
                guest.put("version", "");
            }
        }
        10 => guest.start(),
        _ => std::thread::sleep(moments.next(Duration::from_millis(20))),
    }
}

/// The host makes everything right again, and the agent answers.
fn settle(guest: &mut Guest) {
    guest.remove_node("data");
    guest.host.mkdir(&format!("{HOME}/data")).unwrap();
    let of_guest = [Permission::new(Access::None, DOMID)];
    guest.host.set_permissions(&format!("{HOME}/data"), &of_guest).unwrap();
    guest.check();
}

fn whatever_happens(seed: u32) {
    let Some(mut guest) = Guest::with("") else { return };
    let mut program = guest.other_program();
    let mut moments = Moments(seed);
    for number in 1..=STEPS {
        step(&mut guest, &mut program, &mut moments);
        if number % 100 == 0 {
            settle(&mut guest);
        }
    }
    let log = guest.log();
    assert!(!log.contains("this is a bug") && !log.contains("panicked"), "{log}");
    assert_eq!(guest.terminate().code(), Some(0));
}

#[test]
fn whatever_happens_the_agent_answers_in_the_end() {
    whatever_happens(1);
}

#[test]
fn whatever_else_happens_it_does_too() {
    whatever_happens(2);
}
