//! Changes of domains, as gateways hear of them that all watch the fleet.

use crate::GENEROUS;
use crate::client::percentile;
use crate::etcd_server::EtcdServer;
use crate::members::{name, summary, write};
use crate::table::Aim::{AtLeast, AtMost};
use crate::table::Table;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use uuid::Uuid;
use xend::fleet::{Keys, Kv, KvEvent, Op, Revision, ViewRecord, Watched};

/// How many clients write the changes.
const WRITERS: u32 = 8;

pub(crate) async fn measure(
    server: &EtcdServer,
    keys: &Keys,
    watchers: u32,
    rate: u32,
    time: Duration,
    table: &mut Table,
) {
    let changes = rate * u32::try_from(time.as_millis()).unwrap() / 1_000;
    let from = server.client().list("none").await.unwrap().revision;
    let start = Instant::now() + Duration::from_secs(2);
    let sent = Arc::new((0..changes).map(|n| start + time / changes * n).collect::<Vec<_>>());
    let mut heard = JoinSet::new();
    for _ in 0..watchers {
        heard.spawn(hear(server.client(), keys.clone(), from, sent.clone()));
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (kv, keys, sent) = (server.client(), keys.clone(), sent.clone());
        writers.spawn(async move {
            let mine = sent.iter().zip(0..).skip(writer as usize).step_by(WRITERS as usize);
            for (at, number) in mine {
                sleep_until((*at).into()).await;
                let key =
                    keys.view(&name(0), Uuid::from_u128(u128::from(number % 100) + (1 << 64)));
                write(&*kv, vec![Op::put(key, summary(0, number).encode())]).await;
            }
        });
    }
    writers.join_all().await;
    let mut times: Vec<Duration> = heard.join_all().await.into_iter().flatten().collect();
    let all = f64::from(watchers) * f64::from(changes);
    let what = format!("{watchers} watchers of {rate} changes in a second");
    table.add(
        format!("{what}, changes heard"),
        times.len() as f64 / all * 100.0,
        " %",
        AtLeast(100.0),
    );
    for percent in [50, 99] {
        let millis = percentile(&mut times, percent).as_secs_f64() * 1e3;
        table.add(format!("{what}, percentile {percent}"), millis, " ms", AtMost(1_000.0));
    }
    // The next ones begin on a server at rest.
    sleep(Duration::from_secs(1)).await;
}

/// How long after it was due each change was heard.
async fn hear(
    kv: Arc<dyn Kv>,
    keys: Keys,
    from: Revision,
    sent: Arc<Vec<Instant>>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    let listen = async {
        let mut news = kv.watch(&keys.views(), Revision(from.0 + 1)).await.unwrap();
        while times.len() < sent.len() {
            let Some(told) = news.next().await else { break };
            let Ok(Watched::Events(events)) = told else { continue };
            for event in events {
                let KvEvent::Put(entry) = event else { continue };
                let number = ViewRecord::decode(&entry.value).unwrap().memory_mib;
                times.push(sent[usize::try_from(number).unwrap()].elapsed());
            }
        }
    };
    timeout(GENEROUS, listen).await.ok();
    times
}
