//! Gentoo's netifrc: `/etc/conf.d/net`, and a service for each interface.

use crate::network::assignments;
use crate::network::files::{NewFile, read_text};
use crate::network::plan::Interface;
use crate::network::writer::{Claim, Failed, Guest, Writer};
use std::io;

const PATH: &str = "/etc/conf.d/net";

/// netifrc.
pub(in crate::network) struct Gentoo;

impl Writer for Gentoo {
    fn name(&self) -> &'static str {
        "netifrc"
    }

    fn programs(&self, _guest: &Guest<'_>) -> &'static [&'static str] {
        &["rc-service"]
    }

    fn claim(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<Claim, Failed> {
        let has_service = |interface: &Interface| {
            guest.root.exists(&format!("/etc/init.d/{}", service(interface)))
        };
        if guest.has("rc-service") && interfaces.iter().all(has_service) {
            return Ok(Claim::Yes);
        }
        Ok(Claim::No)
    }

    fn files(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>> {
        let mut text = read_text(guest.root, PATH)?.unwrap_or_default();
        for interface in interfaces {
            // As netifrc makes names of variables.
            let name = interface.name.replace(['.', '-'], "_");
            let keys = ["config", "routes", "dns_servers"].map(|key| format!("{key}_{name}"));
            let lists = [config(interface), routes(interface), dns_servers(interface)];
            let new: Vec<(String, String)> = keys
                .iter()
                .zip(lists)
                .filter(|(_, list)| !list.is_empty())
                .map(|(key, list)| (key.clone(), format!("\"{}\"", list.join("\n"))))
                .collect();
            text = assignments::edit(&text, &new, |key| keys.iter().any(|ours| ours == key));
        }
        Ok(vec![NewFile::new(PATH, text)])
    }

    fn take_down(&self, guest: &Guest<'_>, interfaces: &[Interface]) {
        let stop = |guest: &Guest<'_>, interface: &Interface| {
            guest.try_to_run("rc-service", &[&service(interface), "stop"]);
            Ok(())
        };
        drop(guest.for_each(interfaces.iter(), stop));
    }

    fn apply(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        guest.for_each(interfaces.iter(), |guest, interface| {
            guest.run("rc-service", &[&service(interface), "start"])
        })
    }
}

fn service(interface: &Interface) -> String {
    format!("net.{}", interface.name)
}

fn config(interface: &Interface) -> Vec<String> {
    interface.addresses().map(|address| address.to_string()).collect()
}

fn routes(interface: &Interface) -> Vec<String> {
    let mut routes = Vec::new();
    for family in interface.families() {
        for route in &family.routes {
            routes.push(match route.gateway {
                Some(gateway) => format!("{} via {gateway}", route.destination),
                // netifrc takes the last of three words for a gateway.
                None => format!("{} scope link proto static", route.destination),
            });
        }
        routes.extend(family.gateway.map(|gateway| format!("default via {gateway}")));
    }
    routes
}

fn dns_servers(interface: &Interface) -> Vec<String> {
    interface.dns.iter().map(ToString::to_string).collect()
}
