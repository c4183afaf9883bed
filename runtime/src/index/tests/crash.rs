//! The process or the machine stops at every step there is. What was acknowledged is
//! there afterwards, and what is not there was told to be forgotten.

use std::sync::Arc;

use super::machine::{After, Machine};
use super::{Error, Expected, Index, open, row, rows};
use crate::state::model::Random;
use crate::value::Sequence;

/// What a script has reached.
#[derive(Default)]
struct Reached {
    covered: u64,
    /// What may have been reached beyond: the step that failed wanted it.
    wanted: u64,
    first_retained: u64,
}

/// Adds, merges and forgets, until the disk stops.
fn script(index: &Index, reached: &mut Reached) -> Result<(), Error> {
    let begin = index.covered().0;
    for batch in 0..6 {
        let from = begin + batch * 9 + 1;
        reached.wanted = from + 8;
        index.add(&rows(from, from + 8))?;
        reached.covered = reached.wanted;
        while index.merge()? {}
        if batch % 2 == 1 {
            reached.first_retained = from - 4;
            index.forget(Sequence(from - 4), row(from - 6).time_ms)?;
        }
    }
    Ok(())
}

#[test]
fn i2_a_stop_at_any_step_loses_nothing_and_forgets_nothing_untold() {
    let mut random = Random::from_env("a stop at any step");
    let mut n_stops = 0;
    for after in [After::Kill, After::PowerLoss] {
        for steps in 0.. {
            let disk: Arc<Machine> = Arc::default();
            let mut reached = Reached { first_retained: 1, ..Reached::default() };
            let index = open(&disk).index;
            disk.stop_after(steps);
            let stopped = script(&index, &mut reached).is_err();
            // What does not fail but cannot be removed shows at the next start.
            let over = !stopped && disk.steps_left() > Some(0);
            drop(index);
            disk.restart(after);
            check(&disk, &reached, &mut random);
            // Opening finished what was half-done, and goes on.
            let index = open(&disk).index;
            let mut further =
                Reached { first_retained: reached.first_retained, ..Reached::default() };
            script(&index, &mut further).unwrap();
            check(&disk, &further, &mut random);
            if over {
                break;
            }
            n_stops += 1;
            stop_while_opening(&disk, &further, after, &mut random);
        }
    }
    assert!(n_stops > 150, "{n_stops}");
}

fn check(disk: &Arc<Machine>, reached: &Reached, random: &mut Random) {
    let opened = open(disk);
    assert_eq!(opened.set_aside, []);
    let covered = opened.index.covered().0;
    assert!(covered >= reached.covered && covered <= reached.wanted);
    // One kind may be ahead of the other; both are right in what they know.
    if opened.index.reach().0 == covered {
        Expected { covered, first_retained: reached.first_retained }.check(&opened.index, random);
    }
    assert!(opened.index.check(&mut |_| std::ops::ControlFlow::Continue(())).is_empty());
}

fn stop_while_opening(disk: &Arc<Machine>, reached: &Reached, after: After, random: &mut Random) {
    // Leaves drafts, and runs that were merged into a larger one.
    let begin = reached.covered + 1;
    disk.stop_after(random.next() % 30);
    let index = open(&disk.copy()).index;
    drop(index);
    let mut further = Reached {
        covered: reached.covered,
        wanted: reached.covered,
        first_retained: reached.first_retained,
    };
    disk.restart(After::Kill);
    let index = open(disk).index;
    disk.stop_after(random.next() % 40);
    drop(script(&index, &mut further));
    disk.restart(after);
    for steps in 0.. {
        disk.stop_after(steps);
        let opened = Index::open(
            Arc::clone(disk) as Arc<dyn crate::disk::Disk>,
            std::path::Path::new(super::DIRECTORY),
            super::HISTORY,
        );
        let done = opened.is_ok();
        disk.restart(after);
        if done {
            break;
        }
    }
    assert!(further.covered + 1 >= begin);
    check(disk, &further, random);
}
