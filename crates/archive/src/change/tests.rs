use std::sync::Arc;
use std::sync::mpsc::channel;

use super::*;

#[test]
fn each_reply_is_called_once() {
    let changes = Changes::default();
    let (told, outcomes) = channel();
    let push = |changes: &Changes| {
        let told = told.clone();
        changes.push(Change::EmptyBin, Reply::new(move |outcome| told.send(outcome).unwrap()));
    };
    for _ in 0..WAITING_MAX {
        push(&changes);
    }
    assert!(outcomes.try_recv().is_err());
    push(&changes);
    assert_eq!(outcomes.try_recv().unwrap(), Err(ChangeError::Busy));

    // There is room again for one.
    let (change, reply) = changes.take(1).pop_front().unwrap();
    assert_eq!(change, Change::EmptyBin);
    reply.send(Ok(Changed::default()));
    assert_eq!(outcomes.try_recv().unwrap(), Ok(Changed::default()));
    push(&changes);
    drop(changes.take(1));
    assert_eq!(outcomes.try_recv().unwrap(), Err(ChangeError::Closed));

    changes.close();
    push(&changes);
    let closed: Vec<_> = outcomes.try_iter().collect();
    assert_eq!(closed.len(), WAITING_MAX);
    assert!(closed.iter().all(|outcome| *outcome == Err(ChangeError::Closed)));
    assert!(changes.take(1).is_empty() && !changes.is_some());
}

#[test]
fn a_reply_may_ask_for_more() {
    let changes = Arc::new(Changes::default());
    let again = changes.clone();
    let reply = move |_| again.push(Change::EmptyBin, Reply::new(|_| {}));
    changes.push(Change::EmptyBin, Reply::new(reply));
    changes.close();
    assert!(changes.take(9).is_empty());
}
