//! Items of the host's inventory as stored: `(vdi (location file:/...) (size 1048576) ...)`.

use super::error::ShapeError;
use super::fields::Fields;
use super::sink::Sink;
use super::tree_sink::TreeSink;
use crate::core::model::{
    ClientData, Invalid, Item, MAX_CPUS, Network, ObjectKind, Pool, Unit, Uuid, Vdi, VdiKind, Vlan,
};
use crate::sxp::Sxp;

/// Writes an item without its UUID, which is the name of its file.
pub fn stored_object(item: &Item) -> Sxp {
    let mut sink = TreeSink::default();
    let flag = |sink: &mut TreeSink, key, on: bool| sink.uint_field(key, u8::from(on));
    match &item.kind {
        ObjectKind::Vdi(vdi) => {
            sink.begin_record("vdi");
            sink.text_field("location", &vdi.location);
            sink.uint_field("size", vdi.size);
            sink.text_field("type", vdi.kind.name().as_bytes());
            flag(&mut sink, "own", vdi.own);
            flag(&mut sink, "sharable", vdi.sharable);
            flag(&mut sink, "read_only", vdi.read_only);
        }
        ObjectKind::Network(network) => {
            sink.begin_record("network");
            sink.text_field("bridge", network.bridge.as_bytes());
        }
        ObjectKind::Vlan(vlan) => {
            sink.begin_record("vlan");
            sink.text_field("device", vlan.device.as_bytes());
            sink.uint_field("tag", vlan.tag);
            sink.text_field("bridge", vlan.bridge.as_bytes());
        }
        ObjectKind::Pool(pool) => {
            sink.begin_record("cpu_pool");
            sink.text_field("name", pool.name.as_bytes());
            sink.text_field("scheduler", pool.scheduler.name().as_bytes());
            sink.text_field("cpus", pool.cpus.to_string().as_bytes());
            sink.uint_field("ncpu", pool.ncpu);
            flag(&mut sink, "auto_start", pool.auto_start);
        }
        ObjectKind::Pbd => sink.begin_record("pbd"),
        ObjectKind::DataOnly => sink.begin_record("noted"),
    }
    sink.begin_section("notes");
    sink.properties(item.client_data.to_properties().iter());
    sink.end_section();
    sink.end_record();
    sink.into_values().pop().unwrap_or_else(|| Sxp::list([]))
}

/// Reads a stored item.
pub fn read_object(sxp: &Sxp, uuid: Uuid) -> Result<Item, ShapeError> {
    let head = sxp.head().unwrap_or_default();
    let mut fields = Fields::new(head, sxp.tail())?;
    let missing = |key: &str| ShapeError::new(key.to_owned(), "missing", sxp);
    let kind = match head {
        "vdi" => {
            let location = fields.text("location")?;
            let size =
                fields.number("size", Unit::Bytes, 0..=u64::MAX)?.ok_or_else(|| missing("size"))?;
            let kind = fields.parse::<VdiKind>("type")?.ok_or_else(|| missing("type"))?;
            let mut flag =
                |key: &str| fields.number(key, Unit::Plain, 0..=1).map(|on| on == Some(1));
            ObjectKind::Vdi(Vdi {
                own: flag("own")?,
                sharable: flag("sharable")?,
                read_only: flag("read_only")?,
                location,
                size,
                kind,
            })
        }
        "network" => {
            let network = fields.checked("bridge", Network::new)?;
            ObjectKind::Network(network.ok_or_else(|| missing("bridge"))?)
        }
        "vlan" => {
            let device = fields.text("device")?.to_string();
            let bridge = fields.text("bridge")?.to_string();
            let tag = fields.checked("tag", |tag| {
                let tag = tag.parse().map_err(|_| Invalid::new("a number is expected"))?;
                Vlan::new(&device, tag, &bridge)
            })?;
            ObjectKind::Vlan(tag.ok_or_else(|| missing("tag"))?)
        }
        "cpu_pool" => {
            let checked = |name: &str| Pool::check_name(name).map(|()| name.to_owned());
            let name = fields.checked("name", checked)?.ok_or_else(|| missing("name"))?;
            let scheduler = fields.parse("scheduler")?.ok_or_else(|| missing("scheduler"))?;
            let cpus = fields.parse("cpus")?.unwrap_or_default();
            let ncpu = fields.number("ncpu", Unit::Plain, 0..=u64::from(MAX_CPUS))?.unwrap_or(0);
            let ncpu = u32::try_from(ncpu).unwrap_or(MAX_CPUS);
            ObjectKind::Pool(Pool {
                name,
                scheduler,
                cpus,
                ncpu,
                auto_start: fields.number("auto_start", Unit::Plain, 0..=1)? == Some(1),
            })
        }
        "pbd" => ObjectKind::Pbd,
        "noted" => ObjectKind::DataOnly,
        other => {
            let reason = Invalid::new(format!(
                "{other:?} is not one of vdi, network, vlan, cpu_pool, pbd, noted"
            ));
            return Err(ShapeError::whole(&reason, sxp));
        }
    };
    let client_data = match fields.take("notes")? {
        Some(client_data) => {
            ClientData::from_properties(&Fields::new("notes", client_data.tail())?.rest())
        }
        None => ClientData::default(),
    };
    Ok(Item { uuid, kind, client_data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{ClientValue, CpuSet, Scheduler};
    use crate::sxp::{Limits, read_one};

    #[test]
    fn stored_items_read_back() {
        let mut client_data = ClientData::default();
        client_data.set("name_label", Some(ClientValue::Text("a disk (1)".into()))).unwrap();
        client_data.set_entry("other_config", "location", Some("phy:/dev/x")).unwrap();
        let vdi = Vdi {
            location: "file:/var/lib/a b.img".into(),
            size: 1 << 40,
            kind: VdiKind::User,
            own: true,
            sharable: false,
            read_only: true,
        };
        let network = Network::new("xenbr0").unwrap();
        let uuid = Uuid::from_u128(7);
        let pool = Pool {
            name: "new".to_owned(),
            scheduler: Scheduler::Credit2,
            cpus: "1,3".parse().unwrap(),
            ncpu: 2,
            auto_start: true,
        };
        let kinds = [
            ObjectKind::Vdi(vdi),
            ObjectKind::Network(network),
            ObjectKind::Vlan(Vlan::new("eth0", 7, "xenbr0").unwrap()),
            ObjectKind::Pool(Pool { cpus: CpuSet::default(), ..pool.clone() }),
            ObjectKind::Pool(pool),
            ObjectKind::Pbd,
            ObjectKind::DataOnly,
        ];
        for kind in kinds {
            for client_data in [client_data.clone(), ClientData::default()] {
                let item = Item { uuid, kind: kind.clone(), client_data };
                let text = stored_object(&item).to_bytes();
                assert_eq!(
                    read_object(&read_one(&text, &Limits::default()).unwrap(), uuid).unwrap(),
                    item
                );
            }
        }
        let read =
            |text: &str| read_object(&read_one(text.as_bytes(), &Limits::default()).unwrap(), uuid);
        assert_eq!(
            read("(disk)").unwrap_err().to_string(),
            "\"disk\" is not one of vdi, network, vlan, cpu_pool, pbd, noted"
        );
        assert_eq!(read("(vdi)").unwrap_err().to_string(), "size: missing");
    }
}
