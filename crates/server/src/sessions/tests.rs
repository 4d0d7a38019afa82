use std::net::Ipv4Addr;

use super::*;

fn sessions() -> Arc<Sessions> {
    Arc::new(Sessions::new(Arc::new(Hub::default())))
}

fn connect(sessions: &Arc<Sessions>, port: u16) -> Connected {
    sessions.connect((Ipv4Addr::LOCALHOST, port).into())
}

fn key(name: &str) -> Key {
    Key::new("live", name).unwrap()
}

#[test]
fn entries_go_with_what_they_stand_for() {
    let sessions = sessions();
    let counts = || {
        let Counts { connections, publishers, players } = sessions.counts();
        (connections, publishers, players)
    };
    let connected = connect(&sessions, 1);
    connected.peer.introduce("client");
    connected.peer.introduce("another name");
    let publishing = connected.publish(&key("a"), 1);
    let playing = [connected.play(&key("a"), 2), connected.play(&key("b"), 3)];
    assert_eq!(counts(), (1, 1, 2));
    assert_eq!(sessions.keys(), [key("a"), key("b")]);
    assert_eq!(sessions.publisher(&key("a")).unwrap().peer.client(), "client");
    assert_eq!((sessions.count_players(&key("a")), sessions.players(&key("b")).len()), (1, 1));
    let id = sessions.players(&key("b"))[0].id;
    assert!(sessions.player(&key("b"), id).is_some() && sessions.player(&key("a"), id).is_none());
    drop((publishing, playing, connected));
    assert_eq!(counts(), (0, 0, 0));
    let state = sessions.lock();
    assert!(state.peers.is_empty() && state.publishers.is_empty() && state.players.is_empty());
}

#[test]
fn the_next_publisher_of_a_name_is_not_taken_for_the_last_one() {
    let sessions = sessions();
    let (first, second) = (connect(&sessions, 1), connect(&sessions, 2));
    let before = first.publish(&key("a"), 1);
    let after = second.publish(&key("a"), 1);
    drop(before);
    assert_eq!(sessions.publisher(&key("a")).unwrap().peer.addr.port(), 2);
    drop(after);
    assert!(sessions.publisher(&key("a")).is_none());
}

#[test]
fn what_was_carried_is_not_lost_with_its_connection() {
    let sessions = sessions();
    let (first, second) = (connect(&sessions, 1), connect(&sessions, 2));
    first.peer.traffic.read_bytes(10);
    first.peer.traffic.send(3);
    second.peer.traffic.write_bytes(5);
    second.publish(&key("a"), 1).receive(7);
    let wanted = Amounts { bytes_in: 10, bytes_out: 5, packets_in: 7, packets_out: 3 };
    assert_eq!(sessions.traffic(), wanted);
    drop((first, second));
    assert_eq!(sessions.traffic(), wanted);
}

#[test]
fn a_kick_reaches_its_connection_once_and_waits_for_the_end() {
    testkit::block_on(async {
        let sessions = sessions();
        let connected = connect(&sessions, 1);
        let publishing = connected.publish(&key("a"), 4);
        let playing = connected.play(&key("b"), 5);
        let publisher = sessions.publisher(&key("a")).unwrap();
        let player = sessions.players(&key("b")).remove(0);
        let kicks = async { tokio::join!(publisher.kick(), publisher.kick(), player.kick()) };
        let connection = async {
            std::future::poll_fn(|cx| connected.peer.poll_kick(cx)).await;
            let taken = connected.peer.take_kicks();
            drop((publishing, playing));
            taken
        };
        let (_, taken) = tokio::join!(kicks, connection);
        assert_eq!(taken, [Kick::Publisher(4), Kick::Player(5)]);
        assert!(connected.peer.take_kicks().is_empty());
        // Whoever is gone already is not waited for.
        publisher.kick().await;
    });
}
