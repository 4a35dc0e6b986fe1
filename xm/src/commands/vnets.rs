//! `xm vnet-list`, `vnet-create`, `vnet-delete`.

use super::config_file::read_named;
use crate::cli::command::Command;
use crate::cli::option::{ANY, JSON, LONG};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print_json, print_line, print_pretty};
use crate::targets::escaped;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 3] = [
    Command::new("vnet-list", "[-l|--long]", "List the virtual networks.", (0, ANY), list)
        .with(&[LONG, JSON]),
    Command::new(
        "vnet-create",
        "<ConfigFile>",
        "Make a virtual network.",
        (1, 1),
        |context, words| {
            let config = read_named(words.file(0), "File not found")?;
            let config = String::from_utf8_lossy(&config);
            context.gateway.operate("/xend/vnet", "create", &[("config", &config)]).map(drop)
        },
    )
    .of_files(),
    Command::new(
        "vnet-delete",
        "<VnetId>",
        "Delete a virtual network.",
        (1, 1),
        |context, words| {
            context.gateway.operate(&vnet_path(words.argument(0)), "delete", &[]).map(drop)
        },
    ),
];

fn vnet_path(id: &str) -> String {
    format!("/xend/vnet/{}", escaped(id))
}

fn list(context: &Context, words: &Words) -> Result<(), Failure> {
    let ids = match words.arguments() {
        [] => {
            let list = context.gateway.page("/xend/vnet")?;
            let ids = list.as_list().unwrap_or_default().iter().filter_map(Sxp::as_str);
            ids.map(str::to_owned).collect()
        }
        ids => ids.to_vec(),
    };
    if words.has("json") {
        let each = ids.iter().map(|id| context.gateway.json(&vnet_path(id)));
        return print_json(&each.collect::<Result<Vec<_>, _>>()?);
    }
    let is_long = words.has("long") || !words.arguments().is_empty();
    for id in &ids {
        if is_long {
            print_pretty(&context.gateway.page(&vnet_path(id))?)?;
        } else {
            print_line(id)?;
        }
    }
    Ok(())
}
