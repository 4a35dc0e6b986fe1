//! Devices on a simulated host: failures, delays, screens.

use crate::sim_support::{
    advance, completed, config, disk, free, host, settings, vif, with_devices,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use xend::backend::sim::SimSettings;
use xend::core::error::Error;
use xend::core::model::{Device, Password, Property, Vfb};
use xend::core::ports::Hypervisor;

#[tokio::test(start_paused = true)]
async fn devices_fail_by_name() {
    let (_dir, sim) = host(settings());
    for (path, number, reason, waits) in [
        ("phy:/dev/hotplugerror", 2064, "/dev/hotplugerror does not exist.", 100),
        ("tap:aio:/hotplugbusy.img", 2064, "Device /hotplugbusy.img is mounted", 100),
        ("phy:/dev/hotpluglost", 2064, "Hotplug scripts not working.", 10_000),
    ] {
        let devices = [vif(), disk("sda", "phy:/dev/good"), disk("sdb", path)];
        let domid = sim
            .create(&completed(&with_devices(config("a", 64), devices)), Arc::default())
            .await
            .unwrap()
            .domid;
        let start = Instant::now();
        let error = sim.wait_for_devices(domid).await.unwrap_err();
        let Error::Device { device, class, reason: said } = &error else { panic!("{error}") };
        assert_eq!((*device, class.as_str()), (number, "vbd"));
        assert!(said.starts_with(reason), "{said}");
        assert!(start.elapsed() >= Duration::from_millis(waits), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_devices_ends_with_the_domain() {
    let (_dir, sim) = host(settings());
    let lost = with_devices(config("a", 64), [disk("sda", "phy:/dev/hotpluglost")]);
    let domid = sim.create(&completed(&lost), Arc::default()).await.unwrap().domid;
    let waiting = tokio::spawn({
        let sim = sim.clone();
        async move { sim.wait_for_devices(domid).await }
    });
    advance(1_000).await;
    let start = Instant::now();
    sim.destroy(domid, Arc::default()).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(Error::Gone(id)) if id == domid.to_string()));
    assert!(start.elapsed() < Duration::from_millis(30));
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_delays_its_own_domain_only() {
    let (_dir, sim) = host(settings());
    let slow = with_devices(config("slow", 8192), [disk("sda", "phy:/dev/hotplugslow")]);
    let start = Instant::now();
    let creating = tokio::spawn({
        let sim = sim.clone();
        let slow = slow.clone();
        async move { sim.create(&completed(&slow), Arc::default()).await }
    });
    advance(100).await;
    assert_eq!(free(&sim).await, 15296 - 8192);
    assert!(matches!(
        sim.create(&completed(&config("b", 8192)), Arc::default()).await,
        Err(Error::NoMemory { .. })
    ));
    sim.create(&completed(&config("b", 1024)), Arc::default()).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(200));
    creating.await.unwrap().unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2));

    let given_up = with_devices(config("c", 2048), slow.devices);
    assert!(
        tokio::time::timeout(
            Duration::from_secs(1),
            sim.create(&completed(&given_up), Arc::default())
        )
        .await
        .is_err()
    );
    assert_eq!(free(&sim).await, 15296 - 8192 - 1024);
    assert_eq!(sim.domains().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_screen_without_a_password_has_the_hosts_password() {
    let password = |text: &str| Password::new(text.into());
    let (_dir, sim) = host(SimSettings { vnc_password: password("geheim"), ..settings() });
    let screen = |rest: &[(&str, &str)]| {
        let rest = rest.iter().map(|(key, value)| Property::new(*key, *value)).collect();
        Device::Vfb(Vfb { rest, ..Vfb::default() })
    };
    for (rest, wanted) in [
        (&[("vnc", "1")][..], password("geheim")),
        (&[("vnc", "1"), ("vncpasswd", "own")], password("own")),
        (&[("vnc", "1"), ("vncpasswd", "")], None),
        (&[("sdl", "1")], None),
    ] {
        let domid = sim
            .create(&completed(&with_devices(config("a", 64), [screen(rest)])), Arc::default())
            .await
            .unwrap()
            .domid;
        assert_eq!(sim.vnc_password(domid).unwrap(), wanted, "{rest:?}");
        assert!(!format!("{:?}", sim.devices(domid).await.unwrap()).contains("geheim"));
        sim.destroy(domid, Arc::default()).await.unwrap();
    }
    assert!(!format!("{sim:?}").contains("geheim"));
}
