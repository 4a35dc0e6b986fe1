//! How the list of domains is filtered and used with the keyboard.

use maud::{Markup, html};

/// Filters with what they show.
const FILTERS: [(&str, &str); 8] = [
    ("web", "names with “web” in them"),
    ("state:running", "running domains; also paused, halted, suspended, crashed, saving"),
    ("mem>1G", "more than 1 GiB of memory; also <, <=, >= and ="),
    ("cpu>50 uptime<2h", "both: more than 50 % of a CPU, and up for less than two hours"),
    ("name~web", "a part of a value; a colon compares the whole value"),
    ("type:HVM", "PV, PVH or HVM guests"),
    ("ip~10.0.", "guests that report such an address"),
    ("!device:vif", "the reverse: domains without a network interface"),
];

/// Keys with what they do.
const KEYS: [(&str, &str); 5] = [
    ("/", "to the filter"),
    ("j, k", "to the next and the previous domain"),
    ("Enter", "open the domain"),
    ("x", "select the domain"),
    ("Esc", "leave the filter"),
];

pub(crate) fn markup() -> Markup {
    html! {
        details.list-help {
            summary { "Filters and keys" }
            (table("Filter", "Shows", &FILTERS))
            div #keys hidden { (table("Key", "Does", &KEYS)) }
        }
    }
}

fn table(what: &str, about: &str, lines: &[(&str, &str)]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { (what) } th scope="col" { (about) } } }
            tbody {
                @for (text, about) in lines { tr { td { code { (text) } } td { (about) } } }
            }
        }
    }
}
