//! The pages of virtual networks.

use super::parts::{facts, frame, tree};
use crate::core::model::Vnet;
use crate::core::rights::OpKind;
use crate::shape;
use crate::sxp::pretty;
use crate::wire::http::path::encode_segment;
use crate::wire::http::request::RequestInfo;
use xend_templates::{Link, VnetList, VnetPage};

/// The list of virtual networks.
pub(crate) fn list(request: &RequestInfo, vnets: &[Vnet]) -> String {
    let url = request.url();
    let link =
        |vnet: &Vnet| Link::new(vnet.id.clone(), format!("{url}/{}", encode_segment(&vnet.id)));
    let vnets = vnets.iter().map(link).collect();
    let can_create = request.access().may(OpKind::CreateVnet);
    VnetList { frame: frame(request), vnets, url, can_create }.render()
}

/// The page of one virtual network.
pub(crate) fn page(request: &RequestInfo, vnet: &Vnet) -> String {
    let tree = tree(|sink| shape::vnet(sink, vnet));
    VnetPage {
        frame: frame(request),
        id: vnet.id.clone(),
        href: request.url(),
        facts: facts(tree.tail()),
        config_text: pretty(&tree, 100),
        can_delete: request.access().may(OpKind::DeleteVnet),
    }
    .render()
}
