use std::sync::Mutex;

use keepwatch_bus::{BusSettings, Fact, Hub, Reader};

use super::*;

/// Answers what it is told, and remembers what it took.
#[derive(Clone, Default)]
struct Script {
    verdicts: Arc<Mutex<VecDeque<Verdict>>>,
    carried: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl Carrier for Script {
    type Parcel = u32;

    async fn carry(&self, batch: &[u32]) -> Verdict {
        self.carried.lock().unwrap().push(batch.to_vec());
        self.verdicts.lock().unwrap().pop_front().unwrap_or_else(Verdict::taken)
    }
}

struct Scene {
    script: Script,
    courier: Courier<Script>,
    reader: Reader,
    _bus: keepwatch_bus::Bus,
    hub: Hub,
}

fn scene(verdicts: Vec<Verdict>, capacity: usize) -> Scene {
    let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
    let reader = hub.reader();
    let script = Script { verdicts: Arc::new(Mutex::new(verdicts.into())), ..Script::default() };
    let patience = Patience { capacity, keep: Duration::from_secs(600), ..Patience::default() };
    let batch = Batch { size: 3, linger: Duration::from_secs(5) };
    let courier =
        Courier::new("pager".into(), script.clone(), batch, patience, reader.counters(), bus.downgrade());
    Scene { script, courier, reader, _bus: bus, hub }
}

fn busy() -> Verdict {
    Verdict::NotNow { error: "busy".into(), again: None }
}

impl Scene {
    async fn until_idle(&mut self) {
        while !self.courier.is_idle() {
            self.courier.step().await;
        }
    }

    fn counts(&self) -> (u64, u64, u64) {
        let counted = self.reader.counters().deliveries.get(&"pager".into()).unwrap();
        (counted.delivered.get(), counted.lost.get(), counted.failed_tries.get())
    }

    /// What was told, by its kind and number of lost ones.
    async fn told(self) -> Vec<(&'static str, u64)> {
        let Self { courier, _bus, hub, reader, .. } = self;
        drop((courier, _bus));
        hub.run().await;
        let history = reader.history();
        let told = history.iter().map(|event| match &event.fact {
            Fact::Consumer(
                ConsumerFact::DeliveryResumed { lost, .. } | ConsumerFact::DeliveryEnded { lost, .. },
            ) => (event.fact.kind(), *lost),
            fact => (fact.kind(), 0),
        });
        told.collect()
    }
}

#[tokio::test(start_paused = true)]
async fn full_batches_leave_at_once_and_the_rest_lingers() {
    let mut scene = scene(Vec::new(), 100);
    (0..7).for_each(|n| scene.courier.offer(n));
    let began = Instant::now();
    for _ in 0..4 {
        scene.courier.step().await;
    }
    assert!(began.elapsed() < Duration::from_millis(10));
    scene.until_idle().await;
    assert!(began.elapsed() >= Duration::from_secs(5));
    assert_eq!(*scene.script.carried.lock().unwrap(), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
    assert_eq!(scene.counts(), (7, 0, 0));
    assert_eq!(scene.told().await, []);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_tried_again_in_order_and_told_once() {
    let mut scene = scene(vec![busy(), busy(), busy()], 100);
    (0..3).for_each(|n| scene.courier.offer(n));
    let began = Instant::now();
    scene.until_idle().await;
    assert_eq!(began.elapsed().as_secs(), 1 + 2 + 4);
    assert_eq!(*scene.script.carried.lock().unwrap(), vec![vec![0, 1, 2]; 4]);
    assert_eq!(scene.counts(), (3, 0, 3));
    assert_eq!(scene.told().await, [("delivery_interrupted", 0), ("delivery_resumed", 0)]);
}

#[tokio::test(start_paused = true)]
async fn the_server_may_ask_for_a_longer_pause() {
    let later = Verdict::NotNow { error: "busy".into(), again: Some(Duration::from_secs(20)) };
    let mut scene = scene(vec![later], 100);
    (0..3).for_each(|n| scene.courier.offer(n));
    let began = Instant::now();
    scene.until_idle().await;
    assert_eq!(began.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_are_lost_when_too_many_wait_and_every_parcel_is_counted() {
    let mut scene = scene(vec![busy(), busy()], 4);
    (0..3).for_each(|n| scene.courier.offer(n));
    scene.courier.step().await;
    (3..7).for_each(|n| scene.courier.offer(n));
    scene.until_idle().await;
    let last = scene.script.carried.lock().unwrap().clone();
    assert_eq!(last[last.len() - 2..], [vec![3, 4, 5], vec![6]]);
    assert_eq!(scene.counts(), (4, 3, 2));
    assert_eq!(scene.told().await, [("delivery_interrupted", 0), ("delivery_resumed", 3)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_to_one_that_is_too_slow_is_told_when_no_more_waits_than_goes_at_once() {
    let mut scene = scene(Vec::new(), 4);
    (0..10).for_each(|n| scene.courier.offer(n));
    scene.until_idle().await;
    assert_eq!(scene.counts(), (4, 6, 0));
    (0..3).for_each(|n| scene.courier.offer(n));
    scene.until_idle().await;
    assert_eq!(scene.told().await, [("delivery_interrupted", 0), ("delivery_resumed", 6)]);
}

#[tokio::test(start_paused = true)]
async fn an_overflow_is_over_although_something_comes_with_every_batch() {
    let mut scene = scene(Vec::new(), 8);
    (0..10).for_each(|n| scene.courier.offer(n));
    // Two steps each: a batch leaves, and while it is under way one more comes.
    for n in 10..20 {
        scene.courier.step().await;
        scene.courier.offer(n);
        scene.courier.step().await;
        assert!(!scene.courier.bag.is_empty());
    }
    assert!(scene.courier.interrupted.is_none());
    assert_eq!((scene.counts().1, scene.counts().2), (2, 0));
    assert_eq!(scene.told().await, [("delivery_interrupted", 0), ("delivery_resumed", 2)]);
}

#[tokio::test(start_paused = true)]
async fn an_overflow_of_a_bag_smaller_than_a_batch_is_told_once_while_it_lasts() {
    let mut scene = scene(Vec::new(), 2);
    (0..4).for_each(|n| scene.courier.offer(n));
    for n in 0..10 {
        scene.courier.step().await;
        (0..4).for_each(|more| scene.courier.offer(10 * n + more));
        scene.courier.step().await;
    }
    scene.until_idle().await;
    assert_eq!(scene.told().await, [("delivery_interrupted", 0), ("delivery_resumed", 22)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_lost_and_the_next_goes_on() {
    let some = Verdict::Taken { refused: 1, why: "one is odd".into() };
    let mut scene = scene(vec![Verdict::Never("no".into()), some], 100);
    (0..9).for_each(|n| scene.courier.offer(n));
    scene.until_idle().await;
    assert_eq!(scene.script.carried.lock().unwrap().len(), 3);
    assert_eq!(scene.counts(), (5, 4, 1));
    assert_eq!(scene.told().await, [("delivery_interrupted", 0), ("delivery_resumed", 4)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_given_up() {
    let mut scene = scene((0..40).map(|_| busy()).collect(), 100);
    scene.courier.offer(1);
    let began = Instant::now();
    scene.until_idle().await;
    assert!(began.elapsed() >= Duration::from_secs(600) && began.elapsed() < Duration::from_secs(700));
    assert_eq!((scene.counts().0, scene.counts().1), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_younger_is_not_given_up_with_what_is_too_old() {
    let mut scene = scene((0..40).map(|_| busy()).collect(), 100);
    scene.courier.offer(1);
    let young = Instant::now() + Duration::from_secs(590);
    while Instant::now() < young {
        scene.courier.step().await;
    }
    scene.courier.offer(2);
    while scene.counts().1 == 0 {
        scene.courier.step().await;
    }
    assert!(!scene.courier.is_idle());
    scene.script.verdicts.lock().unwrap().clear();
    scene.until_idle().await;
    assert_eq!(scene.script.carried.lock().unwrap().last(), Some(&vec![2]));
    assert_eq!((scene.counts().0, scene.counts().1), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_nothing_lingers_and_what_is_left_is_counted() {
    let quick = scene(Vec::new(), 100);
    let Scene { script, mut courier, reader, _bus, hub: _hub } = quick;
    courier.offer(1);
    let began = Instant::now();
    courier.finish().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(*script.carried.lock().unwrap(), [vec![1]]);
    assert_eq!(reader.counters().deliveries.get(&"pager".into()).unwrap().lost.get(), 0);

    let stuck = scene((0..9).map(|_| busy()).collect(), 100);
    let Scene { mut courier, reader, _bus, hub: _hub, .. } = stuck;
    (0..5).for_each(|n| courier.offer(n));
    let began = Instant::now();
    courier.finish().await;
    assert!(began.elapsed() <= Duration::from_millis(2100), "{:?}", began.elapsed());
    assert_eq!(reader.counters().deliveries.get(&"pager".into()).unwrap().lost.get(), 5);
}
