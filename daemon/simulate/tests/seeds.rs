//! Some thousand LANs with troubles thrown by dice break no rule. A seed that does can be seen again:
//! `keepwatch simulate --seed N`. More of them: `keepwatch simulate --seeds N`.

use keepwatch_simulate::{seeds, story};

const SEEDS: u64 = 2_000;

#[test]
fn no_seed_breaks_a_rule() {
    for seed in 0..SEEDS {
        let verdict = seeds::run(seed);
        if let Some(broken) = verdict.broken {
            let story = story::timeline(&verdict.history);
            panic!("seed {seed} ({}):\n{story}at {} µs: {}", verdict.shape, broken.at, broken.how);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..50 {
        let (one, other) = (seeds::run(seed), seeds::run(seed));
        assert_eq!((one.history, one.end), (other.history, other.end), "seed {seed}");
    }
}
