use std::net::SocketAddr;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;

async fn server() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

async fn refusal(addr: SocketAddr) -> String {
    let url = Url::parse(&format!("rtmp://{addr}/live/test?token=secret")).unwrap();
    match Client::open(&url, Role::Publish).await {
        Ok(_) => panic!("connected"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_told_with_advice() {
    let (listener, addr) = server().await;
    drop(listener);
    let text = refusal(addr).await;
    assert!(text.starts_with(&format!("cannot connect to {addr}: ")), "{text}");
    assert!(text.contains("is a server running there?"), "{text}");
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_told() {
    let (listener, addr) = server().await;
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        // Read what was sent: closing with unread bytes would reset the connection.
        let mut hello = vec![0; 1 + 1536];
        socket.read_exact(&mut hello).await.unwrap();
    };
    let (text, ()) = tokio::join!(refusal(addr), serve);
    assert_eq!(text, format!("{addr} closed the connection before it granted the stream"));
}

#[tokio::test]
async fn a_server_of_another_kind_is_told() {
    let (listener, addr) = server().await;
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        socket
    };
    let (text, _socket) = tokio::join!(refusal(addr), serve);
    assert!(text.starts_with(&format!("{addr} does not speak RTMP as expected: ")), "{text}");
    assert!(text.contains("HTTP"), "{text}");
}

#[tokio::test]
async fn an_unknown_host_is_told_by_name() {
    let url = Url::parse("rtmp://nosuchhost.invalid/live/test").unwrap();
    let error = Client::open(&url, Role::Play).await.err().expect("no such host").to_string();
    assert!(error.starts_with("cannot find the host nosuchhost.invalid: "), "{error}");
}
