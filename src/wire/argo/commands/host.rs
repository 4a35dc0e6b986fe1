//! `load`, `dmesg`.

use crate::core::rights::Need;
use crate::wire::argo::answer::{Answer, Output};
use crate::wire::argo::call::Call;
use crate::wire::argo::command::{Command, Run};
use crate::wire::argo::signature::Signature;

/// How much of the hypervisor's messages is shown, in bytes: the end.
const MAX_DMESG: usize = 256 << 10;

pub(in crate::wire::argo) static LOAD: Command = Command {
    signature: Signature::new(
        "load",
        "",
        Need::HostFacts,
        "Show the host's load average, and its CPUs and memory in use.",
    ),
    run: Run::Plain(|call| Box::pin(load(call))),
};

pub(in crate::wire::argo) static DMESG: Command = Command {
    signature: Signature::new("dmesg", "", Need::Operator, "Show the hypervisor's messages."),
    run: Run::Plain(|call| Box::pin(dmesg(call))),
};

/// The load average is Domain-0's; all CPUs busy are 100 percent a CPU.
async fn load(call: &Call<'_>) -> Answer {
    let load = call.view.load().await.map_err(|error| call.failure(&error))?;
    let averages = load.averages.map(|average| format!("{average:.2}")).join(" ");
    let lines = [
        format!("load: {averages}"),
        format!("cpu: {:.0} of {} percent", load.cpu, 100 * load.cpus),
        format!("memory: {} of {} MiB", load.memory_used, load.memory),
    ];
    Ok(lines.into_iter().collect())
}

async fn dmesg(call: &Call<'_>) -> Answer {
    let text = call.view.dmesg().await.map_err(|error| call.failure(&error))?;
    let mut output = Output::none();
    output.text(last_lines(&text, MAX_DMESG));
    Ok(output)
}

/// The last lines of a text that have at most `most` bytes together.
fn last_lines(text: &[u8], most: usize) -> &[u8] {
    let Some(start) = text.len().checked_sub(most).filter(|start| *start > 0) else { return text };
    let end = text.get(start - 1..).unwrap_or_default();
    match end.iter().position(|byte| *byte == b'\n') {
        Some(newline) => end.get(newline + 1..).unwrap_or_default(),
        None => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_is_whole_lines() {
        for (most, end) in
            [(100, "one\ntwo\n"), (8, "one\ntwo\n"), (7, "two\n"), (4, "two\n"), (3, ""), (0, "")]
        {
            assert_eq!(last_lines(b"one\ntwo\n", most), end.as_bytes(), "{most}");
        }
    }
}
