use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::connectors::discord::limits::Wait;

const MINUTE: Duration = Duration::from_mins(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn route(place: &str) -> Route {
    Route {
        kind: "POST message",
        place: place.to_owned(),
        paced: true,
    }
}

fn notices(tenant: &str) -> Lane {
    Lane::Notices(tenant.parse().unwrap())
}

fn waiting(job: u32, place: &str) -> Waiting<u32> {
    Waiting {
        job,
        route: route(place),
        not_before: Duration::ZERO,
        deadline: MINUTE,
    }
}

fn queue(lane_max: usize) -> Queue<u32> {
    Queue::new(Limits::new(45), lane_max)
}

fn started(queue: &mut Queue<u32>, now: Duration) -> (Ticket, Waiting<u32>) {
    match queue.next(now) {
        Step::Start(ticket, waiting) => (ticket, waiting),
        other => panic!("nothing starts: {other:?}"),
    }
}

#[test]
fn a_flood_delays_a_neighbour_by_one_turn() {
    let mut queue = queue(256);
    for job in 0..256 {
        queue.push(notices("flood"), waiting(job, "1")).unwrap();
    }
    assert_eq!(queue.push(notices("flood"), waiting(256, "1")), Err(256));
    let (ticket, first) = started(&mut queue, ms(0));
    assert_eq!(first.job, 0);
    queue.push(notices("calm"), waiting(1000, "2")).unwrap();
    queue.done(ticket, &first.route, ms(10), &Told::default());
    let (_ticket, next) = started(&mut queue, ms(10));
    assert_eq!(next.job, 1000, "the neighbour's turn comes first");
}

#[test]
fn one_request_of_a_lane_at_a_time_and_in_order() {
    let mut queue = queue(8);
    for job in 0..3 {
        queue.push(notices("acme"), waiting(job, "1")).unwrap();
    }
    let mut order = Vec::new();
    for turn in 0..3 {
        let (ticket, job) = started(&mut queue, ms(100 * turn));
        assert!(matches!(queue.next(ms(100 * turn)), Step::Idle));
        order.push(job.job);
        // The second fails once and keeps its place.
        if job.job == 1 && order.len() == 2 {
            queue.again(ticket, job, ms(100 * turn), &Told::default());
            let (ticket, job) = started(&mut queue, ms(100 * turn + 50));
            assert_eq!(job.job, 1);
            queue.done(ticket, &job.route, ms(100 * turn + 50), &Told::default());
        } else {
            queue.done(ticket, &job.route, ms(100 * turn), &Told::default());
        }
    }
    assert_eq!(order, [0, 1, 2]);
    assert_eq!(queue.waiting(), 0);
    assert!(queue.lanes.is_empty() && queue.turns.is_empty());
}

#[test]
fn an_order_to_wait_is_obeyed_by_the_bucket_or_by_all() {
    for (global, neighbour_at) in [(false, ms(0)), (true, ms(2500))] {
        let mut queue = queue(8);
        queue.push(notices("acme"), waiting(1, "1")).unwrap();
        queue.push(notices("globex"), waiting(2, "2")).unwrap();
        let (ticket, job) = started(&mut queue, ms(0));
        let told = Told {
            wait: Some(Wait {
                time: ms(2500),
                global,
            }),
            ..Told::default()
        };
        queue.again(ticket, job, ms(0), &told);
        if global {
            assert!(matches!(queue.next(ms(0)), Step::Until(at) if at == ms(2500)));
        }
        let (ticket, job) = started(&mut queue, neighbour_at);
        assert_eq!(
            job.job, 2,
            "who was told to wait goes to the end of the turns"
        );
        queue.done(ticket, &job.route, neighbour_at, &Told::default());
        assert!(!matches!(queue.next(ms(2499)), Step::Start(..)));
        assert_eq!(started(&mut queue, ms(2600)).1.job, 1);
    }
}

#[test]
fn what_is_late_is_told_so_and_nothing_is_sent() {
    let mut queue = queue(8);
    let mut late = waiting(1, "1");
    late.deadline = ms(500);
    late.not_before = ms(900);
    queue.push(notices("acme"), late).unwrap();
    assert!(matches!(queue.next(ms(0)), Step::Until(at) if at == ms(500)));
    assert!(matches!(queue.next(ms(500)), Step::Late(1)));
    assert!(matches!(queue.next(ms(500)), Step::Idle));
}

#[test]
fn what_nobody_waits_for_is_taken_out() {
    let mut queue = queue(8);
    for job in 0..4 {
        queue.push(notices("acme"), waiting(job, "1")).unwrap();
    }
    queue.push(Lane::Host, waiting(7, "2")).unwrap();
    assert_eq!(queue.take(|job| *job != 2).len(), 4);
    assert_eq!(started(&mut queue, ms(0)).1.job, 2);
    assert!(matches!(queue.next(ms(1000)), Step::Idle));
}

#[test]
fn answers_to_people_are_not_behind_notices_nor_behind_the_pace() {
    let mut queue = queue(256);
    for job in 0..100 {
        let tenant = format!("t{job}");
        queue.push(notices(&tenant), waiting(job, &tenant)).unwrap();
    }
    let mut count = 0;
    while let Step::Start(..) = queue.next(ms(0)) {
        count += 1;
    }
    assert_eq!(count, 5, "the burst");
    let mut answer = waiting(1000, "token");
    answer.route.kind = "PATCH answer";
    answer.route.paced = false;
    queue
        .push(Lane::Answers("t0".parse().unwrap()), answer)
        .unwrap();
    assert_eq!(started(&mut queue, ms(0)).1.job, 1000);
}

/// Discord, as far as it counts: windows of a fixed length that begin with their first request, and the
/// bot's own 50 in any second.
struct Counting {
    limit: u32,
    window: Duration,
    used: BTreeMap<String, (Duration, u32)>,
    all: VecDeque<Duration>,
    broken: u32,
}

impl Counting {
    fn takes(&mut self, place: &str, now: Duration) -> Told {
        let slot = self.used.entry(place.to_owned()).or_insert((now, 0));
        if now >= slot.0 + self.window {
            *slot = (now, 0);
        }
        slot.1 += 1;
        self.broken += u32::from(slot.1 > self.limit);
        while self.all.front().is_some_and(|at| now >= *at + ms(1000)) {
            self.all.pop_front();
        }
        self.all.push_back(now);
        self.broken += u32::from(self.all.len() > 50);
        Told {
            bucket: Some("b".into()),
            remaining: Some(self.limit.saturating_sub(slot.1)),
            reset_after: Some((slot.0 + self.window).saturating_sub(now)),
            wait: None,
        }
    }
}

proptest! {
    /// Requests arrive and answers come back at any time and in any order. Whatever they are, no bucket and
    /// no pace is ever exceeded, each job is sent once, and each lane stays in order.
    #[test]
    fn nothing_is_exceeded_lost_or_reordered(
        pushes in prop::collection::vec((0_u8..5, 0_u8..3), 1..120),
        delays in prop::collection::vec(1_u64..400, 1..20),
        limit in 1_u32..6,
        window in 50_u64..3000,
    ) {
        let mut queue = queue(256);
        let mut discord = Counting {
            limit, window: ms(window), used: BTreeMap::new(), all: VecDeque::new(), broken: 0,
        };
        let mut now = Duration::ZERO;
        for (job, (tenant, place)) in pushes.iter().enumerate() {
            let mut entry = waiting(u32::try_from(job).unwrap(), &place.to_string());
            entry.deadline = Duration::MAX;
            queue.push(notices(&format!("tenant{tenant}")), entry).unwrap();
        }
        let mut under_way: Vec<(Duration, Ticket, Waiting<u32>, Told)> = Vec::new();
        let mut sent: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut delays = delays.into_iter().cycle();
        let mut total = 0;
        while total < pushes.len() || !under_way.is_empty() {
            let until = match queue.next(now) {
                Step::Start(ticket, job) => {
                    total += 1;
                    let told = discord.takes(&job.route.place, now);
                    sent.entry(format!("{:?}", ticket.0)).or_default().push(job.job);
                    under_way.push((now + ms(delays.next().unwrap()), ticket, job, told));
                    continue;
                }
                Step::Until(at) => Some(at),
                Step::Idle => None,
                Step::Late(job) => panic!("{job} has no deadline"),
            };
            let answer = under_way.iter().enumerate().min_by_key(|(_, (at, ..))| *at);
            match (answer.map(|(index, (at, ..))| (index, *at)), until) {
                (Some((index, at)), until) if until.is_none_or(|until| at <= until) => {
                    now = now.max(at);
                    let (_, ticket, job, told) = under_way.swap_remove(index);
                    queue.done(ticket, &job.route, now, &told);
                }
                (_, Some(until)) => now = now.max(until),
                (_, None) => panic!("it stands still with {} waiting", queue.waiting()),
            }
        }
        prop_assert_eq!(discord.broken, 0);
        for order in sent.values() {
            prop_assert!(order.is_sorted(), "{:?}", order);
        }
        prop_assert_eq!(sent.values().map(Vec::len).sum::<usize>(), pushes.len());
    }
}
