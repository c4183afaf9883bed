//! Logs that were written once and must be read for ever.
//!
//! They lie in `tests/golden/log-v1`, each with what is to be read from it beside it.
//! A segment of redb is a megabyte of mostly nothing, so its file is kept as those of
//! its sectors that are not zero; `README.md` there has the layout. To write them
//! anew, after a change of a format that nobody has files of yet:
//! `CHANCERY_GOLDEN=<case> cargo test -p chancery --lib golden`.

use std::fmt::Write;

use super::*;
use crate::record::samples::rejected;
use crate::record::{Act, Attempt, Command, Deploy, Entry, Outcome, Schedule, Steer, Verdict};
use crate::value::{ChangeSet, Hash, Lifecycle, Name, Position, TableChanges};

const SECTOR_BYTES: usize = 512;
const CASES: [&str; 5] = ["closed", "unclean", "erased", "moved", "timed"];

fn golden(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/log-v1").join(case)
}

/// The acts that there were from the beginning.
fn first_acts() -> [Act; 4] {
    [
        Act::Deploy(Deploy { module: "bank".parse().unwrap(), hash: Hash::of(b"bank") }),
        Act::Remove { module: "bank".parse().unwrap() },
        Act::DropTable { table: "accounts".parse().unwrap() },
        Act::Erase { sequence: Sequence(1) },
    ]
}

/// Those that came with projections.
fn later_acts() -> [Act; 4] {
    let (worker, name) = ("projection/balances".into(), "balances".parse().unwrap());
    let [resume, skip, rebuild] = [Steer::Resume, Steer::Skip, Steer::Rebuild]
        .map(|what| Act::Projection { name: Name::clone(&name), what });
    [Act::Advance { worker, from: Position(0), to: Position(1) }, resume, skip, rebuild]
}

/// Those that came with timers, and the commands that these submit.
fn timed_acts() -> [Act; 4] {
    let Act::Command(command) = entry(1).act else { panic!("it is a command") };
    let command = |caller: Option<&str>, metadata: &str| Command {
        caller: caller.map(Into::into),
        causation_id: Some("0192f3a4-5b6c-7d8e-9f00-112233445566".into()),
        metadata: metadata.into(),
        ..command.clone()
    };
    let at_ms = 1_700_000_200_000;
    let fired = Command { scheduled_for_ms: Some(at_ms), ..command(None, r#"{"depth":1}"#) };
    [
        Act::Schedule(Schedule { at_ms, command: command(Some("teller"), r#"{"tenant":"a"}"#) }),
        Act::Cancel { timer: Uuid::from_u128(9) },
        Act::Command(fired),
        Act::Schedule(Schedule { at_ms: 0, command: command(None, "{}") }),
    ]
}

/// What comes of an advance after which a table takes the place of another.
fn moved(sequence: u64) -> Outcome {
    let table: Name = "accounts".parse().unwrap();
    let lifecycle = Lifecycle::Moved { from: table.next_table() };
    let rows = outcome(sequence).changes.tables.remove(0).rows;
    let changes = ChangeSet { tables: vec![TableChanges { table, lifecycle, rows }] };
    Outcome { changes, events: Vec::new(), ..outcome(sequence) }
}

/// One record of each kind and each act, in two segments.
fn write(case: &str) {
    let fixture = Fixture::new(1 << 20);
    let mut log = fixture.open().unwrap().0.log;
    let acts = match case {
        "moved" => later_acts(),
        "timed" => timed_acts(),
        _ => first_acts(),
    };
    let mut others: Vec<Record> = (2..)
        .zip(acts)
        .map(|(sequence, act)| Record::Entry(Entry { act, ..entry(sequence) }))
        .collect();
    others.push(Record::Attempt(Attempt { id: Uuid::from_u128(2), count: 1 }));
    let first = [Record::Entry(entry(1)), Record::Outcome(outcome(1))];
    let second = match case {
        "moved" => moved(2),
        _ => rejected(2),
    };
    let last = [Record::Outcome(second), Record::Entry(entry(6))];
    log.append(Sequence(1), &round_of(log.tail(), &first)).unwrap();
    log.append(Sequence(2), &round_of(log.tail(), &others)).unwrap();
    log.seal().unwrap();
    if case == "erased" {
        log.upkeep().erase(1, &|_| true).unwrap();
    }
    log.append(Sequence(6), &round_of(log.tail(), &last)).unwrap();
    let copy = fixture.after_crash();
    log.close().unwrap();
    let from = if case == "unclean" { &copy } else { &fixture };
    let to = golden(case);
    fs::remove_dir_all(&to).ok();
    fs::create_dir_all(&to).unwrap();
    for file in fs::read_dir(from.path("")).unwrap() {
        let file = file.unwrap();
        fs::write(to.join(file.file_name()), sectors_of(&fs::read(file.path()).unwrap())).unwrap();
    }
    fs::write(to.with_extension("txt"), told(&from.open().unwrap().1)).unwrap();
}

/// The length, then each sector that is not zero behind its number.
fn sectors_of(bytes: &[u8]) -> Vec<u8> {
    let mut kept = (bytes.len() as u64).to_le_bytes().to_vec();
    for (number, sector) in (0_u32..).zip(bytes.chunks(SECTOR_BYTES)) {
        if sector.iter().any(|byte| *byte != 0) {
            kept.extend(number.to_le_bytes());
            kept.extend(sector);
            kept.resize(kept.len() + SECTOR_BYTES - sector.len(), 0);
        }
    }
    kept
}

fn bytes_of(kept: &[u8]) -> Vec<u8> {
    let (length, sectors) = kept.split_first_chunk::<8>().unwrap();
    let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(*length)).unwrap()];
    for sector in sectors.chunks(4 + SECTOR_BYTES) {
        let (number, content) = sector.split_first_chunk::<4>().unwrap();
        let start = u32::from_le_bytes(*number) as usize * SECTOR_BYTES;
        let end = bytes.len().min(start + SECTOR_BYTES);
        bytes[start..end].copy_from_slice(&content[..end - start]);
    }
    bytes
}

/// What is in a log, in words that do not change with the types that hold it.
fn told(rounds: &[Round]) -> String {
    let mut text = String::new();
    for Round { header, records, chain } in rounds {
        let (number, history, floor, time) =
            (header.number, header.history, header.floor_ms, header.time_ms);
        writeln!(text, "round {number} of {history}, floor {floor}, time {time}").unwrap();
        for record in records {
            let line = match record {
                Record::Entry(entry) => told_entry(entry),
                Record::Outcome(outcome) => {
                    let verdict = match &outcome.verdict {
                        Verdict::Succeeded(value) => format!("succeeded {value:?}"),
                        Verdict::Rejected(failure) | Verdict::Failed(failure) => {
                            format!("{}: {}", failure.code, failure.message)
                        }
                    };
                    let (sequence, erased) = (outcome.sequence, outcome.erased);
                    let rows: usize = outcome.changes.tables.iter().map(|t| t.rows.len()).sum();
                    let events: Vec<&str> = outcome.events.iter().map(|e| &*e.data).collect();
                    let moved: String = outcome.changes.tables.iter().map(told_move).collect();
                    format!(
                        "outcome {sequence}, erased {erased}, {verdict}, {rows} rows{moved}, \
                         {events:?}"
                    )
                }
                Record::Attempt(attempt) => format!("attempt {} of {}", attempt.count, attempt.id),
            };
            writeln!(text, "  {line}").unwrap();
        }
        writeln!(text, "  chain {chain}").unwrap();
    }
    text
}

fn told_move(changes: &TableChanges) -> String {
    match &changes.lifecycle {
        Lifecycle::Moved { from } => format!(", {} from {from}", changes.table),
        _ => String::new(),
    }
}

fn told_entry(entry: &Entry) -> String {
    let act = match &entry.act {
        Act::Command(command) => told_command(command),
        Act::Deploy(deploy) => format!("deploy {} {}", deploy.module, deploy.hash),
        Act::Remove { module } => format!("remove {module}"),
        Act::DropTable { table } => format!("drop {table}"),
        Act::Erase { sequence } => format!("erase {sequence}"),
        Act::Advance { worker, from, to } => format!("advance {worker} from {from} to {to}"),
        Act::Projection { name, what } => format!("{what:?} {name}").to_lowercase(),
        Act::Schedule(Schedule { at_ms, command }) => {
            format!("at {at_ms} {}, metadata {}", told_command(command), command.metadata)
        }
        Act::Cancel { timer } => format!("cancel {timer}"),
    };
    let Entry { sequence, id, time_ms, erased, .. } = entry;
    format!("entry {sequence}, id {id}, time {time_ms}, erased {erased}, {act}")
}

fn told_command(command: &Command) -> String {
    let mut text = format!("{} {} for {:?}", command.name, command.input, command.caller);
    if let Some(due_ms) = command.scheduled_for_ms {
        let Command { causation_id, metadata, .. } = command;
        write!(text, ", due {due_ms}, because of {causation_id:?}, metadata {metadata}").unwrap();
    }
    text
}

#[test]
fn logs_of_version_1_are_read() {
    let wish = std::env::var("CHANCERY_GOLDEN").unwrap_or_default();
    CASES.into_iter().filter(|case| *case == wish).for_each(write);
    for case in CASES {
        let fixture = Fixture::nowhere(1 << 20);
        fs::create_dir(fixture.path("")).unwrap();
        let mut n_bytes = 0;
        for file in fs::read_dir(golden(case)).unwrap() {
            let file = file.unwrap();
            let kept = fs::read(file.path()).unwrap();
            n_bytes += kept.len();
            fs::write(fixture.path("").join(file.file_name()), bytes_of(&kept)).unwrap();
        }
        assert!(n_bytes < 300 << 10, "{case}: {n_bytes} bytes");
        let expected = fs::read_to_string(golden(case).with_extension("txt")).unwrap();
        let (opened, rounds) = fixture.open().unwrap();
        assert_eq!(told(&rounds), expected, "{case}");
        // And they can be gone on with.
        let mut log = opened.log;
        log.append(Sequence(7), &round_of(log.tail(), &[Record::Entry(entry(7))])).unwrap();
        log.seal().unwrap();
        for segment in log.upkeep().segments() {
            log.upkeep().check(segment.first_round, &mut |_| Ok(())).unwrap();
        }
    }
}
