use std::sync::mpsc::channel;

use super::*;

const SHORT: Duration = Duration::from_millis(50);
/// For what comes back: printing a panic alone takes seconds on a busy machine.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_disk_that_hangs_costs_its_request_a_reason_and_others_nothing() {
    testkit::block_on(async {
        let calls = DiskCalls::default();
        let (go, hang) = channel::<()>();
        let hung = calls.run(SHORT, move || hang.recv().is_ok()).await;
        assert_eq!(hung.unwrap_err().code(), Code::DiskTimeout);
        assert_eq!(calls.run(LONG, || 5).await.unwrap(), 5);
        drop(go);
    });
}

#[test]
fn so_many_wait_for_a_disk_and_no_more() {
    testkit::block_on(async {
        let calls = DiskCalls::default();
        let mut hanging = Vec::new();
        for _ in 0..CALLS {
            let (go, hang) = channel::<()>();
            let hung = calls.run(SHORT, move || hang.recv().is_ok()).await;
            assert_eq!(hung.unwrap_err().code(), Code::DiskTimeout);
            hanging.push(go);
        }
        assert_eq!(calls.run(SHORT, || ()).await.unwrap_err().code(), Code::DiskBusy);
        // One comes back: its place is free.
        hanging.pop();
        calls.run(LONG, || ()).await.unwrap();
    });
}

#[test]
fn work_that_panics_is_a_fault_of_the_server() {
    let done = testkit::block_on(DiskCalls::default().run(LONG, || panic!("on purpose")));
    let done: Result<(), _> = done;
    assert_eq!(done.unwrap_err().code(), Code::Internal);
}
