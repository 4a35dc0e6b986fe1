//! Reader and printer compared with lexpr's, on configurations that both can read.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by a panic")]

use criterion::{BenchmarkId, Criterion, Throughput};
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};
use xend::sxp::{Limits, read_one};

/// A configuration as `xm` sends one, with addresses and identifiers in double quotes: lexpr cannot
/// read them otherwise.
fn configuration(out: &mut String, id: usize) {
    let _ = write!(
        out,
        r#"(domain (domid {id}) (name web{id}) (uuid "0f6c1a52-7d3e-4b8a-9c11-52d0a7e4{id:04x}")
    (memory 512) (maxmem 1024) (vcpus 2) (cpu_weight 256) (cpu_cap 0) (on_poweroff destroy)
    (on_reboot restart) (on_crash preserve) (bootloader) (features)
    (image (hvm (kernel /usr/lib/xen/boot/hvmloader) (device_model /usr/lib/xen/bin/qemu-dm)
        (boot cda) (pae 1) (acpi 1) (apic 1) (usb 1) (usbdevice tablet) (serial pty) (vnc 1)
        (vnclisten "0.0.0.0") (keymap en-us) (args "root=/dev/xvda1 ro console=hvc0")))
    (device (vif (bridge xenbr0) (mac "00:16:3e:5a:01:02") (script vif-bridge) (backend 0)))
    (device (vbd (uname "phy:/dev/vg0/web{id}") (dev "hda:disk") (mode w) (backend 0)))
    (device (vbd (uname "file:/srv/iso/install {id}.iso") (dev "hdc:cdrom") (mode r) (backend 0)))
    (device (vfb (type vnc) (vncunused 1) (keymap en-us))) (state running))"#
    );
}

/// A single configuration and those of a busy host.
fn inputs() -> [(&'static str, String); 2] {
    let mut one = String::new();
    configuration(&mut one, 1);
    let mut host = String::from("(");
    for id in 0..200 {
        configuration(&mut host, id);
        host.push('\n');
    }
    host.push(')');
    [("one", one), ("host", host)]
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    for (name, text) in inputs() {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("sxp", name), text.as_bytes(), |b, text| {
            b.iter(|| read_one(text, &Limits::DEFAULT).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("lexpr", name), text.as_bytes(), |b, text| {
            b.iter(|| lexpr::from_slice(text).unwrap());
        });
    }
    group.finish();
}

fn print(c: &mut Criterion) {
    let mut group = c.benchmark_group("print");
    for (name, text) in inputs() {
        let ours = read_one(text.as_bytes(), &Limits::DEFAULT).unwrap();
        let theirs = lexpr::from_str(&text).unwrap();
        group.throughput(Throughput::Bytes(ours.to_bytes().len() as u64));
        group.bench_function(BenchmarkId::new("sxp", name), |b| b.iter(|| ours.to_bytes()));
        group.throughput(Throughput::Bytes(lexpr::to_vec(&theirs).unwrap().len() as u64));
        group.bench_function(BenchmarkId::new("lexpr", name), |b| {
            b.iter(|| lexpr::to_vec(&theirs).unwrap());
        });
    }
    group.finish();
}

/// Median time of a run of each. The two alternate, so that both see the same machine, in blocks of
/// runs, because each leaves the allocator in the state that suits itself.
fn medians(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (Duration, Duration) {
    const BLOCK: u32 = 10;
    let timed = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..BLOCK).for_each(|_| run());
        start.elapsed() / BLOCK
    };
    let (mut ours, mut theirs): (Vec<_>, Vec<_>) =
        (0..101).map(|_| (timed(&mut ours), timed(&mut theirs))).unzip();
    ours.sort_unstable();
    theirs.sort_unstable();
    (ours[ours.len() / 2], theirs[theirs.len() / 2])
}

fn report(
    what: &str,
    (ours, our_bytes): (Duration, usize),
    (theirs, their_bytes): (Duration, usize),
) {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let speed = |bytes: usize, time: Duration| bytes as f64 / time.as_secs_f64() / 1e6;
    let ours = speed(our_bytes, ours);
    let theirs = speed(their_bytes, theirs);
    println!("{what}: {ours:.1} MB/s, lexpr {theirs:.1} MB/s");
    println!("{what} ratio: {:.2} x lexpr", ours / theirs);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    read(&mut criterion);
    print(&mut criterion);
    criterion.final_summary();

    let [_, (_, text)] = inputs();
    let bytes = text.as_bytes();
    let tree = read_one(bytes, &Limits::DEFAULT).unwrap();
    let value = lexpr::from_slice(bytes).unwrap();
    let (ours, theirs) = medians(
        || drop(black_box(tree.to_bytes())),
        || drop(black_box(lexpr::to_vec(&value).unwrap())),
    );
    report(
        "printer",
        (ours, tree.to_bytes().len()),
        (theirs, lexpr::to_vec(&value).unwrap().len()),
    );
    let (ours, theirs) = medians(
        || drop(black_box(read_one(bytes, &Limits::DEFAULT).unwrap())),
        || drop(black_box(lexpr::from_slice(bytes).unwrap())),
    );
    report("reader", (ours, bytes.len()), (theirs, bytes.len()));
}
