use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Longest wait for what has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a client may be silent.
const SILENCE: Duration = Duration::from_secs(2);

/// A ping without content, and its answer, masked with zeros.
const PING_FRAME: [u8; 2] = [0x89, 0];
const PONG_FRAME: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

#[tokio::test]
async fn a_client_that_answers_nothing_is_gone() {
    let (ours, mut theirs) = tokio::io::duplex(4_096);
    let mut socket = Socket::over(ours, Duration::from_millis(20), SILENCE);
    let asked = async {
        // It is there at first, and then only reads.
        let mut frame = [0; 2];
        theirs.read_exact(&mut frame).await.unwrap();
        theirs.write_all(&PONG_FRAME).await.unwrap();
        let mut asked = 1;
        while theirs.read_exact(&mut frame).await.is_ok() {
            assert_eq!(frame, PING_FRAME);
            asked += 1;
        }
        asked
    };
    let ended = async {
        socket.closed().await;
        let heard = socket.heard;
        drop(socket);
        heard
    };
    let both = tokio::time::timeout(PATIENCE, async { tokio::join!(ended, asked) });
    let (heard, asked) = both.await.unwrap();
    assert!(asked > 1 && heard.elapsed() >= SILENCE, "asked {asked} times");
}
