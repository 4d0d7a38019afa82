use std::net::Shutdown;

use super::*;

fn start(work: Work) -> (std::net::SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let run = move || Plain::new(listener, &work).unwrap().run().unwrap();
    (addr, std::thread::spawn(run))
}

fn connect(addr: std::net::SocketAddr, hello: &[u8; 5]) -> TcpStream {
    let mut socket = TcpStream::connect(addr).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(hello).unwrap();
    socket
}

/// More than the buffers of sockets hold.
fn frames() -> Vec<u8> {
    let frame = |n: u8| [&[0, 1, 0, 0][..], &vec![n; 65_536]].concat();
    (0..=200).flat_map(frame).collect()
}

#[test]
fn what_is_published_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let work = Work { publishers: 2, framed: false, dir: Some(dir.path().to_owned()) };
    let (addr, thread) = start(work);
    for stream in [3, 4] {
        let mut publisher = connect(addr, &[b'P', 0, 0, 0, stream]);
        publisher.write_all(&frames()[usize::from(stream)..]).unwrap();
    }
    thread.join().unwrap();
    for stream in [3_u8, 4] {
        let file = std::fs::read(dir.path().join(format!("{stream}.bin"))).unwrap();
        assert!(file == frames()[usize::from(stream)..], "{} bytes", file.len());
    }
}

#[test]
fn viewers_get_every_frame_also_when_they_are_slow() {
    let (addr, thread) = start(Work { publishers: 1, framed: true, dir: None });
    let mut publisher = connect(addr, &[b'P', 0, 0, 0, 7]);
    let viewers: Vec<_> = (0..3).map(|_| connect(addr, &[b'V', 0, 0, 0, 7])).collect();
    let mut other = connect(addr, &[b'V', 0, 0, 0, 8]);
    let probe = [0, 0, 0, 1, 9];
    let mut readers = Vec::new();
    for mut viewer in viewers {
        // Whoever has got a frame has joined.
        let mut first = [0; 5];
        while viewer.set_nonblocking(true).and_then(|()| viewer.read_exact(&mut first)).is_err() {
            publisher.write_all(&probe).unwrap();
            std::thread::yield_now();
        }
        assert_eq!(first, probe);
        viewer.set_nonblocking(false).unwrap();
        readers.push(viewer);
    }
    publisher.write_all(&frames()).unwrap();
    publisher.shutdown(Shutdown::Write).unwrap();
    // They get their end together.
    std::thread::scope(|scope| {
        for mut viewer in readers {
            scope.spawn(move || {
                let mut seen = Vec::new();
                viewer.read_to_end(&mut seen).unwrap();
                assert!(seen.ends_with(&frames()), "{} bytes", seen.len());
            });
        }
    });
    let mut seen = Vec::new();
    other.read_to_end(&mut seen).unwrap();
    assert!(seen.is_empty());
    thread.join().unwrap();
}
