//! For tests: seeded randomness, and the state as plain maps, which is what the
//! persistent one has to equal.

use std::collections::BTreeMap;

use crate::state::{Order, Range, RowRef, Table};
use crate::value::{Key, Sequence, Value};

/// What a table should hold, and when each row was last put.
pub(crate) type Model = BTreeMap<String, (Value, Sequence)>;

/// A reproducible source of choices (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A source with the seed of `CHANCERY_SEED`, or a fixed one; prints it, so
    /// that a failing test says how to fail again.
    pub(crate) fn from_env(test: &str) -> Self {
        let seed = std::env::var("CHANCERY_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or(0xc4a2);
        println!("{test}: CHANCERY_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A key out of a few thousand: short, long, and in several scripts, so that
    /// most are met more than once.
    pub(crate) fn key(&mut self) -> String {
        let n = self.below(1_000);
        match self.below(8) {
            0 => format!("é/ключ/{n:03}"),
            1 => format!("\u{1f980}{n}"),
            2 => format!("{}{n:03}", "long".repeat(self.below(3) * 80)),
            3 => "\0".repeat(1 + n % 5),
            4 => char::from_u32(0xd7ff - u32::try_from(n % 3).unwrap()).unwrap().into(),
            _ => format!("row/{n:04}"),
        }
    }

    /// A value of one byte to ten KiB, mostly about a hundred.
    pub(crate) fn value(&mut self) -> Value {
        let bytes = match self.below(20) {
            0 => self.below(10 * 1024),
            1..4 => self.below(1024),
            4 => 0,
            _ => self.below(200),
        };
        if self.one_in(2) {
            return Value::Bytes(vec![0xff; bytes].into());
        }
        Value::Json(format!("\"{}\"", "ü".repeat(bytes / 2)).into())
    }

    /// Changes as a change set has them: sorted, each key once.
    pub(crate) fn changes(&mut self, rows: usize) -> Vec<(Key, Option<Value>)> {
        let deletes_of_ten = [1, 5, 9][self.below(3)];
        let mut changes = BTreeMap::new();
        for _ in 0..rows {
            let key = Key::new(&self.key()).unwrap();
            let value = if self.below(10) < deletes_of_ten { None } else { Some(self.value()) };
            changes.insert(key, value);
        }
        changes.into_iter().collect()
    }

    pub(crate) fn range(&mut self) -> Range {
        match self.below(6) {
            0 => Range::all(),
            1 => Range::prefix(
                ["row/0", "é/", "long", "", "\u{1f980}1", "\u{10ffff}"][self.below(6)],
            ),
            2 => Range::key(&self.key()),
            3 => Range::between(Some(self.key()), None),
            4 => Range::between(None, Some(self.key())),
            // In the wrong order every other time, and then empty.
            _ => Range::between(Some(self.key()), Some(self.key())),
        }
    }

    pub(crate) fn order(&mut self) -> Order {
        if self.one_in(2) { Order::Ascending } else { Order::Descending }
    }
}

/// A row with nothing borrowed.
pub(crate) type OwnedRow = (String, Value);

/// The rows of a range as the model has them.
pub(crate) fn expected(model: &Model, range: &Range, order: Order) -> Vec<OwnedRow> {
    let rows = model.iter().filter(|(key, _)| range.contains(key));
    let mut rows: Vec<_> = rows.map(|(key, (value, _))| (key.clone(), value.clone())).collect();
    if order == Order::Descending {
        rows.reverse();
    }
    rows
}

pub(crate) fn owned(row: RowRef<'_>) -> OwnedRow {
    (row.key.to_owned(), row.value.to_owned())
}

/// Applies changes to the model and says which keys are other than before.
pub(crate) fn apply(model: &mut Model, at: Sequence, changes: &[(Key, Option<Value>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => model.insert(key.as_str().to_owned(), (value.clone(), at)),
            None => model.remove(key.as_str()),
        };
    }
}

/// A whole table as the model has it.
pub(crate) fn contents(table: &Table) -> Model {
    let rows = table.scan(&Range::all(), Order::Ascending);
    rows.map(|row| (row.key.to_owned(), (row.value.to_owned(), row.changed))).collect()
}
