//! The reader and the printer of S-expressions beside lexpr's, on the same configurations.

use crate::Effort;
use crate::support::client::median;
use crate::table::Aim::AtLeast;
use crate::table::Table;
use std::hint::black_box;
use std::time::Instant;
use xend::sxp::{Limits, read_one};

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    // lexpr reads what an address and a UUID are in double quotes alone.
    let one = |n: u32| {
        format!(
            r#"(domain (domid {n}) (name web{n}) (uuid "0f6c1a52-7d3e-4b8a-9c11-52d0a7e4{n:04x}")
            (memory 512) (vcpus 2) (on_poweroff destroy) (on_crash preserve) (bootloader)
            (image (hvm (kernel /usr/lib/xen/boot/hvmloader) (boot cda) (usbdevice tablet)
            (vnclisten "0.0.0.0") (args "root=/dev/xvda1 ro console=hvc0")))
            (device (vif (bridge xenbr0) (mac "00:16:3e:5a:01:02") (script vif-bridge)))
            (device (vbd (uname "phy:/dev/vg0/web{n}") (dev "hda:disk") (mode w))))"#
        )
    };
    let text = format!("({})", (0..200).map(one).collect::<String>());
    let bytes = text.as_bytes();
    let ours = read_one(bytes, &Limits::DEFAULT).unwrap();
    let theirs = lexpr::from_slice(bytes).unwrap();
    let rounds = effort.rounds(101);
    let printer = times(
        rounds,
        || drop(black_box(ours.to_bytes())),
        || drop(black_box(lexpr::to_vec(&theirs).unwrap())),
    );
    table.ratio("printer of S-expressions, to lexpr's", printer, AtLeast(2.0));
    let reader = times(
        rounds,
        || drop(black_box(read_one(bytes, &Limits::DEFAULT).unwrap())),
        || drop(black_box(lexpr::from_slice(bytes).unwrap())),
    );
    table.ratio("reader of S-expressions, to lexpr's", reader, AtLeast(6.0));
}

/// The median of the other's time to ours. Both alternate in blocks, since each leaves the
/// allocator in the state that suits itself.
fn times(rounds: usize, ours: impl Fn(), theirs: impl Fn()) -> f64 {
    let timed = |run: &dyn Fn()| {
        let started = Instant::now();
        (0..10).for_each(|_| run());
        started.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..rounds).map(|_| 1.0 / timed(&ours) * timed(&theirs)).collect();
    median(&mut ratios)
}
