use super::*;

#[test]
fn names_that_no_dns_can_give() {
    for own in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080"] {
        assert!(is_own_host(own), "{own}");
    }
    let others = ["", ":", "localhost.example.org", "example.org:8080", "::1", "[x]:1"];
    for other in others {
        assert_eq!(is_own_host(other), other == "{other}");
    }
}

fn status(time: Duration, run: impl Future<Output = Response>) -> u16 {
    testkit::block_on(in_time(time, "/", run)).status().as_u16()
}

#[test]
fn a_handler_that_is_late_or_panics_costs_its_own_request() {
    let minute = Duration::from_secs(60);
    assert_eq!(status(minute, async { "done".into_response() }), 200);
    assert_eq!(status(Duration::from_millis(10), std::future::pending()), 503);
    assert_eq!(status(minute, async { panic!("on purpose") }), 500);
}
