//! The checker of histories finds what it is there to find.

use chancery_tests::Uuid;
use chancery_tests::history::{Answer, Call, Link, Log, Logged, Read, Rule, check};
use chancery_tests::model::{Probe, Said};
use serde_json::{Value as Json, json};

/// What clients and a log say.
#[derive(Clone)]
struct History {
    calls: Vec<Call>,
    reads: Vec<Read>,
    log: Log,
}

fn id(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number))
}

fn add(amount: u64) -> Json {
    json!({ "key": "k", "amount": amount })
}

fn said(sum: u64) -> Said {
    Said::Succeeded(json!(sum))
}

/// Ten commands, each answered before the next is sent; the fifth is sent again, of
/// the eighth nobody knows, the tenth is only logged; one was refused.
fn honest() -> History {
    let (mut calls, mut entries, mut sum) = (Vec::new(), Vec::new(), 0);
    for number in 1..=10 {
        sum += number;
        let answer = match number {
            8 => Answer::Unknown,
            10 => Answer::Logged { sequence: 10 },
            _ => Answer::Done { sequence: number, said: said(sum) },
        };
        let (invoked, completed) = (number * 10, number * 10 + 5);
        let (name, input) = ("add".to_owned(), add(number));
        let command = Some((name.clone(), input.clone()));
        calls.push(Call { invoked, completed, id: id(number), name, input, answer });
        let said = (number < 10).then(|| said(sum));
        entries.push(Logged { sequence: number, id: id(number), command, said });
    }
    let again = Call { invoked: 200, completed: 205, ..calls[4].clone() };
    let refused =
        Call { id: id(99), answer: Answer::NotLogged, invoked: 51, completed: 52, ..again.clone() };
    calls.extend([again, refused]);
    let read = |client, invoked, sequence, result| Read {
        client,
        invoked,
        name: "sum".into(),
        input: json!({}),
        sequence,
        result: json!(result),
    };
    let reads = vec![read(0, 36, 3, 6), read(1, 36, 4, 10), read(0, 97, 9, 45), read(0, 5, 0, 0)];
    let rounds = (1..=5_u8).map(|number| Link {
        number: u64::from(number),
        before: [number - 1; 32],
        after: [number; 32],
    });
    History { calls, reads, log: Log { entries, rounds: rounds.collect() } }
}

fn rules(history: &History) -> Vec<Rule> {
    let History { calls, reads, log } = history;
    let mut rules: Vec<Rule> = check(calls, reads, log, Probe::default())
        .into_iter()
        .map(|violation| violation.rule)
        .collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// A forgery is caught, by the rule it breaks and by no other.
#[track_caller]
fn caught(expected: &[Rule], forge: impl FnOnce(&mut History)) {
    let mut history = honest();
    forge(&mut history);
    assert_eq!(rules(&history), expected);
}

#[test]
fn an_honest_history_is_honest() {
    caught(&[], |_| ());
}

#[test]
fn a_lost_command_is_caught() {
    caught(&[Rule::A], |history| {
        // The last one, so that nothing else is amiss.
        history.log.entries.pop();
    });
    caught(&[Rule::A], |history| {
        let last = history.calls.iter_mut().find(|call| call.id == id(10)).unwrap();
        last.answer = Answer::Logged { sequence: 11 };
    });
}

#[test]
fn a_command_that_ran_twice_or_that_nobody_sent_is_caught() {
    caught(&[Rule::B], |history| {
        let eleventh = Logged { sequence: 11, ..history.log.entries[9].clone() };
        history.log.entries.push(eleventh);
    });
    caught(&[Rule::B], |history| {
        let command = Some(("add".to_owned(), add(1)));
        let forged = Logged { sequence: 11, id: id(77), command, said: None };
        history.log.entries.push(forged);
    });
    caught(&[Rule::B], |history| {
        history.log.entries[9].command = Some(("add".to_owned(), add(11)));
    });
}

#[test]
fn a_gap_and_a_broken_chain_are_caught() {
    caught(&[Rule::C], |history| {
        history.calls[9].answer = Answer::Logged { sequence: 11 };
        history.log.entries[9].sequence = 11;
    });
    caught(&[Rule::C], |history| history.log.rounds[2].after = [9; 32]);
    caught(&[Rule::C], |history| {
        history.log.rounds.remove(2);
    });
    caught(&[Rule::C], |history| {
        let eleventh = Logged { said: Some(said(56)), ..history.log.entries[9].clone() };
        history.log.entries[9].said = None;
        history.log.entries.push(Logged { sequence: 11, id: id(11), ..eleventh });
        let (name, input) = ("add".to_owned(), add(10));
        let call =
            Call { id: id(11), name, input, answer: Answer::Unknown, ..history.calls[9].clone() };
        history.calls.push(call);
    });
}

#[test]
fn a_wrong_answer_is_caught_the_first_time_and_when_repeated() {
    caught(&[Rule::D], |history| {
        history.calls[2].answer = Answer::Done { sequence: 3, said: said(7) };
    });
    caught(&[Rule::D], |history| {
        let again = history.calls.iter_mut().find(|call| call.invoked == 200).unwrap();
        again.answer = Answer::Done { sequence: 5, said: said(20) };
    });
    caught(&[Rule::D], |history| history.log.entries[7].said = Some(said(1)));
}

#[test]
fn an_order_that_clients_could_not_see_is_caught() {
    caught(&[Rule::E], |history| {
        // The first was answered before the second was sent, and is behind it.
        history.log.entries.truncate(2);
        history.log.entries.swap(0, 1);
        history.calls.truncate(2);
        history.reads.clear();
        for (index, sum) in [(0, 2), (1, 3)] {
            let entry = &mut history.log.entries[index];
            entry.sequence = index as u64 + 1;
            entry.said = Some(said(sum));
        }
        history.calls[0].answer = Answer::Done { sequence: 2, said: said(3) };
        history.calls[1].answer = Answer::Done { sequence: 1, said: said(2) };
    });
}

#[test]
fn a_stale_or_wrong_answer_to_a_query_is_caught() {
    caught(&[Rule::F], |history| history.reads[0].result = json!(7));
    caught(&[Rule::F], |history| {
        (history.reads[0].sequence, history.reads[0].result) = (2, json!(3));
    });
    caught(&[Rule::F], |history| {
        // No command was answered between, but this client has seen more.
        history.reads[1].client = 0;
        history.reads[0].invoked = 37;
    });
    caught(&[Rule::F], |history| history.reads[2].sequence = 12);
}

#[test]
fn a_command_that_was_said_not_to_be_logged_and_is_there_is_caught() {
    caught(&[Rule::G], |history| {
        let command = Some(("add".to_owned(), add(5)));
        let refused = Logged { sequence: 11, id: id(99), command, said: None };
        history.log.entries.push(refused);
    });
    // Unknown is there or not, as it likes.
    caught(&[], |history| {
        let unknown = Call { id: id(11), answer: Answer::Unknown, ..history.calls[4].clone() };
        history.calls.push(unknown);
    });
}
