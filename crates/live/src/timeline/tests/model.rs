//! Any order of appends and reads against what readers are promised.

use super::*;

/// Timelines that share the bound of backlogs.
const RUNS: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Push(usize, char, usize),
    Read(usize),
    Open(usize, bool),
    OpenBack(usize, i64),
    PreRoll(usize, i64),
    Close(usize),
    Stop(usize),
    Follow(usize),
    Unfollow(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..RUNS, prop::sample::select(vec!['k', 'f', 'f', 'f', 'a', 'c', 'm']), 4usize..3_000)
            .prop_map(|(run, kind, len)| Step::Push(run, kind, len)),
        4 => (0usize..6).prop_map(Step::Read),
        2 => (0..RUNS, any::<bool>()).prop_map(|(run, record)| Step::Open(run, record)),
        1 => (0..RUNS, 0i64..4_000).prop_map(|(run, ms)| Step::OpenBack(run, ms)),
        1 => (0..RUNS, prop_oneof![Just(0i64), 0i64..4_000])
            .prop_map(|(run, ms)| Step::PreRoll(run, ms)),
        1 => (0usize..6).prop_map(Step::Close),
        1 => (0usize..6).prop_map(Step::Stop),
        2 => (0usize..6).prop_map(Step::Follow),
        1 => (0usize..6).prop_map(Step::Unfollow),
    ]
}

/// What a reader must have: the number of the packet it wants next, and what it was given or told is lost.
struct Reader {
    cursor: Cursor,
    /// The player itself, while `cursor` reads for it.
    follower: Option<Cursor>,
    run: usize,
    next: Option<u32>,
    had: Position,
    /// Where it is to begin, unless it is overrun before it reads.
    first: Option<u32>,
    /// Packets of the run when it was stopped.
    stop_at: Option<u32>,
}

impl Reader {
    /// Reads all there is; `all` was pushed. Whether it came to its end.
    fn check(&mut self, all: &[Packet]) -> bool {
        let mut batch = Vec::new();
        while let Some(read) = poll(&mut self.cursor, &mut batch) {
            match read {
                Read::Joined { header, dts_ms, lost } => {
                    let next = u32::try_from(dts_ms / 40).unwrap();
                    assert!(self.first.take().is_none_or(|first| next >= first));
                    self.lose(lost, next, all);
                    let mut wanted = Header::default();
                    for p in all.iter().take(next as usize) {
                        wanted.push(p);
                    }
                    assert_eq!(*header, wanted);
                    let video = all.iter().take(next as usize + 1).any(|p| p.kind == Kind::Video);
                    assert!(!video || all[next as usize].role == Role::Key);
                    assert!(self.stop_at.is_none_or(|stop_at| next < stop_at));
                }
                Read::Packets => {
                    for p in batch.drain(..) {
                        let next = self.next.expect("joined before it reads");
                        assert_eq!(p, all[next as usize]);
                        self.next = Some(next + 1);
                        self.had.packets += 1;
                        self.had.bytes += p.body.len() as u64;
                    }
                }
                Read::Ended { lost } => {
                    let end = u32::try_from(all.len()).unwrap();
                    self.lose(lost, self.stop_at.unwrap_or(end), all);
                    assert_eq!(self.cursor.position(), self.had);
                    return true;
                }
                Read::Idle => panic!("asynchronous readers are never idle"),
            }
            assert_eq!(self.cursor.position(), self.had);
        }
        false
    }

    /// Reads all there is, then has another cursor read for it.
    fn follow(&mut self, all: &[Packet]) {
        if self.stop_at.is_some() || self.follower.is_some() || self.check(all) {
            return;
        }
        let lead = self.cursor.lead();
        let mut player = std::mem::replace(&mut self.cursor, lead);
        if player.follow(&self.cursor) {
            assert!(self.next.is_some(), "only who has begun stands somewhere");
            self.follower = Some(player);
        } else {
            self.cursor = player;
        }
    }

    /// Reads by itself again.
    fn unfollow(&mut self) {
        if self.stop_at.is_none()
            && let Some(mut player) = self.follower.take()
        {
            player.unfollow(&mut self.cursor);
            self.cursor = player;
        }
    }

    /// Goes on at `next`, where exactly what is between was told to be lost.
    fn lose(&mut self, lost: Lost, next: u32, all: &[Packet]) {
        let from = self.next.unwrap_or(next);
        assert_eq!(lost.packets, u64::from(next - from));
        let passed = all.iter().take(next as usize).skip(from as usize);
        assert_eq!(lost.bytes, passed.map(|p| p.body.len() as u64).sum::<u64>());
        self.had.packets += lost.packets;
        self.had.bytes += lost.bytes;
        self.next = Some(next);
    }
}

/// The bytes of the blocks before the first that would stay without recorders, looked at one by one.
fn backlog_bytes(state: &State, limits: &Limits) -> usize {
    let mut rest = state.bytes;
    // The newest place that is old enough to begin with.
    let starts = || (state.first_block..).zip(&state.blocks).filter(|(_, b)| b.start);
    let age_ms = |block: &Block| state.newest_dts_ms - block.first_dts_ms;
    let old = starts().filter(|(_, b)| age_ms(b) >= state.pre_roll_ms).last();
    let old = old.map_or(0, |(number, _)| number);
    for (number, block) in (state.first_block..).zip(&state.blocks) {
        let age_ms = state.newest_dts_ms - block.first_dts_ms;
        let playing = block.players > 0 && rest <= limits.play_bytes && age_ms <= limits.play_ms;
        let newest = state.newest_start.is_some_and(|start| number >= start);
        let joinable = newest && rest <= limits.join_bytes && age_ms <= limits.join_ms;
        let pre_roll =
            state.pre_roll_ms > 0 && block.start && number >= old && rest <= limits.pre_roll_bytes;
        if playing
            || joinable
            || pre_roll
            || number + 1 == state.first_block + state.blocks.len() as u64
        {
            break;
        }
        rest -= block.bytes;
    }
    state.bytes - rest
}

fn check_bounds(runs: &[Run], backlogs: &AtomicUsize, limits: &Limits) {
    let most = limits.record_bytes.max(BLOCK_BYTES) + BLOCK_PACKETS * 96 + 3_096;
    let mut sum = 0;
    for run in runs {
        let state = run.timeline.lock();
        assert!(state.bytes <= most);
        assert_eq!(state.bytes, state.blocks.iter().map(|b| b.bytes).sum::<usize>());
        assert_eq!(state.backlog_bytes, backlog_bytes(&state, limits));
        assert_eq!(state.backlog_bytes, state.backlog_noted);
        sum += state.backlog_bytes;
    }
    assert_eq!(backlogs.load(Ordering::Relaxed), sum);
    assert!(sum <= limits.record_total_bytes + RUNS * limits.hold_bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is pushed and read in whatever order: no packet twice, none out of order, each loss told exactly,
    /// joins only where decoding can start, the window within its bounds, and what all recorders hold back too.
    #[test]
    fn readers_see_everything_or_are_told(steps in prop::collection::vec(step(), 1..600)) {
        let limits = Limits {
            join_bytes: 20_000, join_ms: 2_000, play_bytes: 12_000, play_ms: 1_000,
            record_bytes: 30_000, record_total_bytes: 40_000, hold_bytes: 6_000,
            pre_roll_bytes: 25_000,
            ..Limits::default()
        };
        let backlogs = Arc::new(AtomicUsize::new(0));
        let mut runs: Vec<Run> =
            (0..RUNS).map(|_| Run::among(limits.clone(), &backlogs)).collect();
        let mut all: [Vec<Packet>; RUNS] = Default::default();
        let mut readers: Vec<Reader> = Vec::new();
        for step in steps {
            match step {
                Step::Push(i, kind, len) => {
                    let (kind, role) = match kind {
                        'k' => (Kind::Video, Role::Key),
                        'f' => (Kind::Video, Role::Frame),
                        'a' => (Kind::Audio, Role::Frame),
                        'c' => (Kind::Video, Role::Config),
                        _ => (Kind::Data, Role::Metadata),
                    };
                    all[i].push(packet(kind, role, runs[i].next, len));
                    runs[i].push(kind, role, len);
                }
                Step::Read(i) => if let Some(reader) = readers.get_mut(i) {
                    let ended = reader.check(&all[reader.run]);
                    prop_assert_eq!(ended, reader.stop_at.is_some());
                },
                Step::Open(run, record) => if readers.len() < 6 {
                    let (class, start) = if record {
                        (Class::Record, Start::Oldest)
                    } else {
                        (Class::Play, Start::Newest)
                    };
                    let whole = record && runs[run].timeline.lock().first_block() == 0;
                    let cursor = runs[run].cursor(class, start);
                    let (follower, had, first, stop_at) = Default::default();
                    let next = whole.then_some(0);
                    readers.push(Reader { cursor, follower, run, next, had, first, stop_at });
                },
                Step::OpenBack(run, ms) => if readers.len() < 6 {
                    let state = runs[run].timeline.lock();
                    let starts: Vec<_> =
                        state.blocks.iter().filter(|b| b.start).map(|b| b.begin.packets).collect();
                    let newest_ms = state.newest_dts_ms;
                    drop(state);
                    let is_old = |n: &&u64| newest_ms - i64::try_from(**n).unwrap() * 40 >= ms;
                    let first = starts.iter().rev().find(is_old).or(starts.first());
                    let first = first.map(|first| u32::try_from(*first).unwrap());
                    let cursor = runs[run].cursor(Class::Record, Start::Back { ms });
                    let (follower, had, next, stop_at) = Default::default();
                    readers.push(Reader { cursor, follower, run, next, had, first, stop_at });
                },
                Step::PreRoll(run, ms) => runs[run].timeline.set_pre_roll(ms),
                Step::Close(i) => if i < readers.len() {
                    readers.swap_remove(i);
                },
                Step::Stop(i) => if let Some(reader) = readers.get_mut(i) {
                    reader.cursor.stop_handle().stop();
                    reader.stop_at.get_or_insert(runs[reader.run].next);
                },
                Step::Follow(i) => if let Some(reader) = readers.get_mut(i) {
                    reader.follow(&all[reader.run]);
                },
                Step::Unfollow(i) => if let Some(reader) = readers.get_mut(i) {
                    reader.unfollow();
                },
            }
            check_bounds(&runs, &backlogs, &limits);
        }
        for run in &runs {
            run.timeline.end();
        }
        for reader in &mut readers {
            prop_assert!(reader.check(&all[reader.run]));
        }
        readers.clear();
        prop_assert_eq!(backlogs.load(Ordering::Relaxed), 0);
        for run in &runs {
            let state = run.timeline.lock();
            prop_assert!(state.blocks.iter().all(|b| b.players == 0 && b.recorders == 0));
            prop_assert_eq!(state.displaced, 0);
            prop_assert_eq!(state.stats.players, 0);
        }
    }
}
