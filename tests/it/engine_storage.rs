//! Operations on disk images at the same time.

use crate::engine_support::TestHost;
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::timeout;
use xend::core::caller::Caller;
use xend::core::error::Error;
use xend::core::model::{ClientData, Text, Uuid, Vdi, VdiKind, VdiSetting};
use xend::core::op::{Change, ImageContent};

const SOURCE: Uuid = Uuid::from_u128(1);
const COPY: Uuid = Uuid::from_u128(2);

fn image(uuid: Uuid, content: ImageContent) -> Change {
    let vdi = Vdi {
        location: Text::default(),
        size: 1 << 20,
        kind: VdiKind::User,
        own: false,
        sharable: false,
        read_only: false,
    };
    Change::CreateVdi { uuid, vdi: Box::new(vdi), client_data: ClientData::default(), content }
}

#[test]
fn nobody_waits_for_an_image_that_is_being_made() {
    // Files are read and written by one thread, which the test keeps busy.
    let runtime =
        Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let host = TestHost::new().await;
        let caller = Caller::internal();
        host.engine.execute(&caller, image(SOURCE, ImageContent::Empty)).await.unwrap();
        let grow = Change::SetVdi(SOURCE, VdiSetting::Size(2 << 20));
        for slow in [image(COPY, ImageContent::CopyOf(SOURCE)), grow] {
            let (go_on, wait) = mpsc::channel::<()>();
            let busy = spawn_blocking(move || wait.recv());
            let engine = host.engine.clone();
            let slow = tokio::spawn(async move { engine.execute(&Caller::internal(), slow).await });
            for _ in 0..100 {
                yield_now().await;
            }
            // It needs the inventory alone.
            let other = Change::DestroyPbd(Uuid::from_u128(9));
            let other = timeout(Duration::from_secs(20), host.engine.execute(&caller, other)).await;
            let other = other.expect("an operation waits for another image");
            assert!(matches!(other, Err(Error::NoSuchObject { .. })), "{other:?}");
            assert!(!slow.is_finished());
            go_on.send(()).unwrap();
            slow.await.unwrap().unwrap();
            busy.await.unwrap().unwrap();
        }
        let inventory = host.engine.view(&caller).inventory();
        assert_eq!(inventory.vdi(&COPY).unwrap().1.size, 1 << 20);
        assert_eq!(inventory.vdi(&SOURCE).unwrap().1.size, 2 << 20);
    });
}

#[tokio::test]
async fn a_uuid_is_that_of_one_image() {
    let host = TestHost::new().await;
    let caller = Caller::internal();
    let make = || host.engine.execute(&caller, image(SOURCE, ImageContent::Empty));
    let (first, second) = tokio::join!(make(), make());
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let again = make().await.unwrap_err().to_string();
    assert!(again.contains("is known already"), "{again}");
    host.engine.execute(&caller, Change::DestroyVdi(SOURCE)).await.unwrap();
    make().await.unwrap();
}
