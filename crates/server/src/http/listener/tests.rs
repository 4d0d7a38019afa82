use std::net::Ipv4Addr;
use std::time::Instant;

use axum::body::Body;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[test]
fn few_files_are_few_connections() {
    assert_eq!(Limits::new(None).connections, 10_000);
    assert_eq!(Limits::new(Some(1 << 20)).connections, 10_000);
    assert_eq!(Limits::new(Some(1_024)).connections, 128);
}

/// A server of an answer without end, and its address.
async fn endless(limits: Limits) -> (SocketAddr, watch::Sender<bool>) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = socket.local_addr().unwrap();
    let zeros = || async {
        let chunks = futures_util::stream::repeat_with(|| {
            Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(&[0; 4_096]))
        });
        Body::from_stream(chunks)
    };
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(vec![socket], Router::new().route("/", get(zeros)), limits, stopped));
    (addr, stop)
}

/// A client that has been given the beginning of an answer.
async fn answered(addr: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(socket.read(&mut [0]).await.unwrap(), 1);
    socket
}

/// Takes all that comes until the server gives up.
async fn read_to_the_end(mut socket: TcpStream) {
    let mut bytes = vec![0; 1 << 20];
    let end = async { while let Ok(1..) = socket.read(&mut bytes).await {} };
    tokio::time::timeout(Duration::from_secs(60), end).await.expect("an end of the answer");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    testkit::block_on(async {
        let stall_time = Duration::from_millis(100);
        let (addr, _stop) = endless(Limits { stall_time, ..Limits::new(None) }).await;
        let client = answered(addr).await;
        tokio::time::sleep(10 * stall_time).await;
        // What the systems between held is all that there is.
        read_to_the_end(client).await;
    });
}

#[test]
fn at_the_end_answers_are_cut_off_after_their_time() {
    testkit::block_on(async {
        let (addr, stop) = endless(Limits::new(None)).await;
        let client = answered(addr).await;
        let began = Instant::now();
        stop.send_replace(true);
        read_to_the_end(client).await;
        assert!(began.elapsed() >= LINGER, "{:?}", began.elapsed());
    });
}

#[test]
fn beyond_the_limit_a_connection_is_closed_and_its_place_is_given_back() {
    testkit::block_on(async {
        let limits = Limits { connections: 1, ..Limits::new(None) };
        let (addr, _stop) = endless(limits).await;
        let first = TcpStream::connect(addr).await.unwrap();
        first.writable().await.unwrap();
        let mut second = TcpStream::connect(addr).await.unwrap();
        let mut byte = [0];
        assert!(matches!(second.read(&mut byte).await, Ok(0) | Err(_)));
        drop(first);
        loop {
            let mut next = TcpStream::connect(addr).await.unwrap();
            let asked = next.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            if asked.is_ok() && matches!(next.read(&mut byte).await, Ok(1)) {
                break;
            }
        }
    });
}
