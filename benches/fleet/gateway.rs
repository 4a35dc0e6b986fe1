//! A daemon that shows a fleet.

use crate::GENEROUS;
use crate::client::median;
use crate::commands::Host;
use crate::process::{ask, spawn};
use crate::table::Aim::AtMost;
use crate::table::Table;
use serde_json::Value;
use std::process::Child;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SXP: &str = "application/sxp";

/// How many lists are timed.
const LISTS: usize = 9;

pub(crate) struct Gateway<'a> {
    host: &'a Host,
    child: Child,
}

/// What it takes to show a fleet: seconds and bytes.
pub(crate) struct Shown {
    pub(crate) first_list: f64,
    pub(crate) list: f64,
    pub(crate) hosts: f64,
    /// What the daemon takes more than before anybody read the fleet.
    pub(crate) memory: f64,
}

impl<'a> Gateway<'a> {
    pub(crate) async fn start(host: &'a Host) -> Self {
        let mut command = host.xend(&["--http", "off", "--unix", "socket"]);
        let child = spawn(&mut command, &host.dir.path().join("log"));
        let gateway = Self { host, child };
        let began = Instant::now();
        while gateway.get("/xend/node", SXP).is_none() {
            assert!(began.elapsed() < GENEROUS, "the daemon does not listen");
            sleep(Duration::from_millis(100)).await;
        }
        gateway
    }

    /// The body of an answer in this format, and the seconds that it took.
    fn get(&self, target: &str, format: &str) -> Option<(String, f64)> {
        let socket = self.host.dir.path().join("socket");
        let began = Instant::now();
        let request = format!("GET {target} HTTP/1.0\r\nAccept: {format}\r\n\r\n");
        let (status, body) = ask(&socket, &request, GENEROUS).ok()?;
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(status, 200, "{target}: {body}");
        Some((body, seconds))
    }

    /// Seconds and bytes of the list of all domains, of which there are so many at least.
    fn domains(&self, least: u32) -> (f64, usize) {
        let (body, seconds) = self.get("/xend/domain?host=all", "application/json").unwrap();
        let listed = serde_json::from_str::<Value>(&body).unwrap();
        let listed = listed.as_array().map_or(0, Vec::len);
        assert!(listed >= least as usize, "{listed} of {least} domains are listed");
        (seconds, body.len())
    }

    /// Seconds of the list of all hosts, which JSON has in pages.
    fn hosts(&self, least: u32) -> f64 {
        let (body, seconds) = self.get("/xend/host?detail=1", SXP).unwrap();
        let listed = body.matches("(name host").count();
        assert!(listed >= least as usize, "{listed} of {least} hosts are listed");
        seconds
    }

    /// Bytes of the daemon's memory.
    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
    }

    /// Reads the fleet as a client does.
    pub(crate) fn shows(&self, hosts: u32, domains: u32, table: &mut Table) -> Shown {
        let before = self.resident();
        let (first_list, bytes) = self.domains(domains);
        let list = median_of(|| self.domains(domains).0);
        let of_hosts = median_of(|| self.hosts(hosts));
        let resident = self.resident();
        println!("a list of all domains has {:.1} MB", bytes as f64 / 1e6);
        table.add(
            format!("the first list of {domains} domains"),
            first_list * 1e3,
            " ms",
            AtMost(5_000.0),
        );
        table.add(format!("a list of {domains} domains"), list * 1e3, " ms", AtMost(1_000.0));
        table.add(format!("a list of {hosts} hosts"), of_hosts * 1e3, " ms", AtMost(100.0));
        table.add(
            format!("memory of a gateway that shows {domains} domains"),
            resident / f64::from(1 << 20),
            " MiB",
            AtMost(150.0),
        );
        Shown { first_list, list, hosts: of_hosts, memory: resident - before }
    }
}

fn median_of(measured: impl Fn() -> f64) -> f64 {
    median(&mut (0..LISTS).map(|_| measured()).collect::<Vec<_>>())
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
