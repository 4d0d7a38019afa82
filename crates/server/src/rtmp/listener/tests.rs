use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::*;

const ADDRS: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
];

/// Takes ports on both addresses; on the second one the first `taken` that are asked for are somebody else's. Gives
/// what came of it, and all ports that were asked for there.
fn bind(taken: usize) -> (io::Result<Vec<TcpListener>>, Vec<u16>) {
    let mut asked = Vec::new();
    let bound = bind_all(&ADDRS, |addr| {
        if addr.ip() == ADDRS[0].ip() {
            return bind_one(addr);
        }
        asked.push(addr.port());
        // The first address has this port already, and the second one is all addresses.
        match asked.len() > taken {
            true => bind_one(ADDRS[1]),
            false => Err(io::ErrorKind::AddrInUse.into()),
        }
    });
    (bound, asked)
}

#[tokio::test]
async fn a_port_that_is_taken_on_one_of_the_addresses_is_given_up_for_another() {
    let (bound, asked) = bind(3);
    let bound = bound.unwrap();
    assert_eq!(bound.len(), 2);
    assert_eq!(bound[0].local_addr().unwrap().port(), asked[3]);
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), 4, "{asked:?}");
}

#[tokio::test]
async fn it_is_not_tried_for_ever() {
    let (bound, asked) = bind(usize::MAX);
    assert_eq!(bound.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert_eq!(asked.len(), PORTS);
}

#[tokio::test]
async fn a_port_that_was_asked_for_is_no_other() {
    let asked = ADDRS.map(|addr| SocketAddr::new(addr.ip(), 1_935));
    let mut tries = Vec::new();
    let bound = bind_all(&asked, |addr| {
        tries.push(addr);
        match addr == asked[0] {
            true => bind_one(ADDRS[0]),
            false => Err(io::ErrorKind::AddrInUse.into()),
        }
    });
    assert_eq!((bound.unwrap_err().kind(), &tries[..]), (io::ErrorKind::AddrInUse, &asked[..]));
}
