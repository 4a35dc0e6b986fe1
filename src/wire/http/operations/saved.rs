//! Operations on the files of saved domains: `delete`.

use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::wire::http::operation::{Operation, ParamKind, Success, required};

pub(crate) static DELETE: Operation = Operation {
    name: "delete",
    label: "Delete",
    about: "Deletes the file of a saved domain, which cannot be restored any more.",
    kinds: &[OpKind::RemoveSaved],
    stages: &[],
    data_loss: Some("The memory of the domain is lost."),
    params: &[required("file", ParamKind::Path, "File to delete", "/var/lib/xen/save/web1")],
    success: Success::Listed("/xend/saved?done=removed"),
    build: |request| Ok(Change::RemoveSaved(request.params.path("file")?).into()),
};
