//! A viewer of a screen, message by message.

use super::*;
use tokio::io::duplex;

fn server(password: Option<&str>) -> Server {
    let password = password.and_then(|text| Password::new(text.into()));
    let challenge = [[7; 8], [9; 8]];
    Server { screen: Arc::default(), name: "web".to_owned(), password, challenge }
}

/// A connection to the screen, logged in.
async fn connect(server: Server) -> (DuplexStream, CancellationToken) {
    let (guest, mut viewer) = duplex(BUFFER);
    let destroyed = CancellationToken::new();
    let password = server.password.clone();
    drop(tokio::spawn(server.run(guest, destroyed.clone())));
    log_in(&mut viewer, password.as_ref()).await.unwrap();
    viewer.write_all(&[1]).await.unwrap();
    let mut init = [0; 24 + 3];
    viewer.read_exact(&mut init).await.unwrap();
    assert_eq!(init[..4], [1, 64, 0, 200]);
    assert_eq!(init[4..20], PixelFormat::OWN.encode());
    assert_eq!(&init[20..], b"\0\0\0\x03web");
    (viewer, destroyed)
}

fn request(is_incremental: u8) -> [u8; 10] {
    [3, is_incremental, 0, 0, 0, 0, 1, 64, 0, 200]
}

/// The areas of the next update, which has pixels of this many bytes.
async fn update(viewer: &mut DuplexStream, pixel: usize) -> Vec<(Area, Vec<u8>)> {
    assert_eq!(viewer.read_u16().await.unwrap(), 0);
    let mut areas = Vec::new();
    for _ in 0..viewer.read_u16().await.unwrap() {
        let mut numbers = [0; 4];
        for number in &mut numbers {
            *number = viewer.read_u16().await.unwrap();
        }
        let [x, y, width, height] = numbers;
        assert_eq!(viewer.read_i32().await.unwrap(), RAW);
        let mut pixels = vec![0; usize::from(width) * usize::from(height) * pixel];
        viewer.read_exact(&mut pixels).await.unwrap();
        areas.push((Area { x, y, width, height }, pixels));
    }
    areas
}

#[tokio::test]
async fn the_password_of_the_screen_is_needed() {
    drop(connect(server(Some("secret"))).await);
    let (guest, mut viewer) = duplex(BUFFER);
    drop(tokio::spawn(server(Some("secret")).run(guest, CancellationToken::new())));
    let wrong = Password::new("wrong".into());
    let error = log_in(&mut viewer, wrong.as_ref()).await.unwrap_err().to_string();
    assert_eq!(error, "The screen refuses the login: Authentication failed");
}

#[tokio::test]
async fn a_viewer_sees_what_changes_in_the_format_that_it_wants() {
    let (mut viewer, destroyed) = connect(server(None)).await;
    viewer.write_all(&request(0)).await.unwrap();
    let first = update(&mut viewer, 4).await;
    assert_eq!(first[0].0, Area::SCREEN);
    assert_eq!(first[0].1[..4], [255, 255, 255, 0]);

    // 16 bits, and a key.
    let format = [0, 0, 0, 0, 16, 16, 1, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0];
    viewer.write_all(&format).await.unwrap();
    viewer.write_all(&request(1)).await.unwrap();
    viewer.write_all(&[4, 1, 0, 0, 0, 0, 0, 97]).await.unwrap();
    let changed = update(&mut viewer, 2).await;
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].0.y, changed[0].0.height), (180, 20));
    assert_eq!(changed[0].1[..2], [0xfb, 0xe0]);

    // What has changed before the request is not waited for.
    viewer.write_all(&[5, 0, 0, 10, 0, 10]).await.unwrap();
    viewer.write_all(&request(1)).await.unwrap();
    assert_eq!(update(&mut viewer, 2).await.len(), 2);

    destroyed.cancel();
    assert_eq!(viewer.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn viewers_share_the_screen() {
    let screen: Arc<Screen> = Arc::default();
    let (mut one, _) = connect(Server { screen: screen.clone(), ..server(None) }).await;
    let (mut other, _) = connect(Server { screen, ..server(None) }).await;
    other.write_all(&request(1)).await.unwrap();
    assert_eq!(update(&mut other, 4).await[0].0, Area::SCREEN);
    other.write_all(&request(1)).await.unwrap();
    one.write_all(&[4, 1, 0, 0, 0, 0, 0, 97]).await.unwrap();
    assert_eq!(update(&mut other, 4).await.len(), 1);
}

#[tokio::test]
async fn a_viewer_that_is_not_understood_is_left() {
    for bytes in [&[99][..], &[0; 20], &[2, 0, 255, 255], &[6, 0, 0, 0, 255, 0, 0, 0]] {
        let (mut viewer, _) = connect(server(None)).await;
        viewer.write_all(bytes).await.unwrap();
        assert_eq!(viewer.read(&mut [0]).await.unwrap(), 0, "{bytes:?}");
    }
    let (mut viewer, _) = connect(server(None)).await;
    viewer.write_all(&[3, 0, 255, 255, 0, 0, 0, 9, 0, 9]).await.unwrap();
    assert!(update(&mut viewer, 4).await.is_empty(), "nothing is beside the screen");
}
