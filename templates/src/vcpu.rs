//! The VCPUs of a domain.

use crate::layout::{Frame, Layout};
use crate::parts::{Link, scroll};
use maud::{Markup, html};

/// A VCPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Vcpu {
    /// From 0.
    pub number: u32,
    pub online: bool,
    /// Whether it waits for an event.
    pub blocked: bool,
    /// Whether it is on a CPU now.
    pub running: bool,
    pub cpu_time_s: f64,
    /// The current or the last CPU. `None` if it has not run yet.
    pub cpu: Option<u32>,
    /// The CPUs that it may run on.
    pub cpumap: Vec<u32>,
}

impl Vcpu {
    fn state(&self) -> &'static str {
        match self {
            Self { online: false, .. } => "offline",
            Self { running: true, .. } => "running",
            Self { blocked: true, .. } => "blocked",
            Self { .. } => "ready",
        }
    }
}

/// The result of `vcpuinfo`.
#[derive(Debug, Clone, PartialEq)]
pub struct VcpuPage {
    pub frame: Frame,
    pub domain: Link,
    pub vcpus: Vec<Vcpu>,
}

impl VcpuPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            section.card { (vcpu_table(&self.vcpus)) }
            p.back { a href=(self.domain.href) { "Back to " (self.domain.name) } }
        };
        let title = format!("VCPUs of {}", self.domain.name);
        Layout { is_result: true, ..Layout::new(&title, &self.frame, body) }.render()
    }
}

/// A table with a row for each VCPU.
pub(crate) fn vcpu_table(vcpus: &[Vcpu]) -> Markup {
    html! {
        @if vcpus.is_empty() {
            p { "No VCPUs." }
        } @else {
            (scroll("VCPUs", &html! {
                table {
                    thead {
                        tr {
                            @for name in ["VCPU", "State", "CPU time (s)", "CPU", "CPU affinity"] {
                                th scope="col" { (name) }
                            }
                        }
                    }
                    tbody {
                        @for vcpu in vcpus { (row(vcpu)) }
                    }
                }
            }))
        }
    }
}

fn row(vcpu: &Vcpu) -> Markup {
    let cpumap: Vec<String> = vcpu.cpumap.iter().map(u32::to_string).collect();
    html! {
        tr {
            th scope="row" { (vcpu.number) }
            td { (vcpu.state()) }
            td { (format!("{:.1}", vcpu.cpu_time_s)) }
            td { @match vcpu.cpu { Some(cpu) => (cpu), None => "–" } }
            td { (cpumap.join(", ")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    fn vcpu() -> Vcpu {
        let cpumap = vec![0, 1, 3];
        Vcpu {
            number: 1,
            online: true,
            blocked: true,
            running: false,
            cpu_time_s: 0.54,
            cpu: Some(3),
            cpumap,
        }
    }

    #[test]
    fn a_row_has_state_time_and_cpus() {
        let row = row(&vcpu()).into_string();
        let cells = "<td>blocked</td><td>0.5</td><td>3</td><td>0, 1, 3</td>";
        assert_eq!(row, format!(r#"<tr><th scope="row">1</th>{cells}</tr>"#));
    }

    #[test]
    fn offline_takes_precedence_over_other_states() {
        assert_eq!(Vcpu { online: false, running: true, ..vcpu() }.state(), "offline");
        assert_eq!(Vcpu { running: true, ..vcpu() }.state(), "running");
        assert_eq!(Vcpu { blocked: false, ..vcpu() }.state(), "ready");
    }

    #[test]
    fn the_page_links_back_to_the_domain() {
        let domain = Link::new(HOSTILE, "/xend/domain/x");
        let page = VcpuPage { frame: frame(&["xend", "domain", "x"]), domain, vcpus: vec![vcpu()] }
            .render();
        assert_document(&page);
        assert!(page.contains(r#"<a href="/xend/domain/x">Back to "#), "{page}");
    }
}
