//! Damaged files: bits flipped, pages zeroed, files cut off or gone. What is loaded
//! is whole, or refused by name.

use std::fs;

use super::*;

/// Rounds of each loop; more if asked for.
fn rounds(default: usize) -> usize {
    let asked = std::env::var("CHANCERY_FLIPS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(default)
}

/// Damages some bytes of a file and says how.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) -> String {
    match random.below(8) {
        0 => {
            let page = random.below(bytes.len().div_ceil(4096)) * 4096;
            let end = (page + 4096).min(bytes.len());
            bytes[page..end].fill(0);
            format!("zeroed the page at {page}")
        }
        1 => {
            let length = random.below(bytes.len());
            bytes.truncate(length);
            format!("cut off at {length}")
        }
        2 => {
            // A page that was written where another belongs.
            let pages = bytes.len() / 4096;
            let (from, to) = (random.below(pages) * 4096, random.below(pages) * 4096);
            bytes.copy_within(from..from + 4096, to);
            format!("copied the page at {from} to {to}")
        }
        _ => {
            let (at, bit) = (random.below(bytes.len()), random.below(8));
            bytes[at] ^= 1 << bit;
            format!("flipped bit {bit} of byte {at}")
        }
    }
}

#[test]
fn damage_to_one_is_never_believed_and_the_other_is_loaded() {
    let mut random = Random::from_env("damage_to_one_is_never_believed");
    let (directory, _, written) = two();
    let paths = Generation::BOTH.map(|generation| checkpoints(directory.path()).path(generation));
    let whole = paths.clone().map(|path| fs::read(path).unwrap());
    let (mut refused, mut harmless) = (0, 0);
    for _ in 0..rounds(600) {
        let at = random.below(2);
        let mut bytes = whole[at].clone();
        let how = format!("{}: {}", paths[at].display(), damage(&mut random, &mut bytes));
        fs::write(&paths[at], &bytes).unwrap();
        let verified = checkpoints(directory.path()).verify(Generation::BOTH[at], &mut |_, _| {});
        let loaded = load(directory.path()).unwrap_or_else(|error| panic!("{how}: {error}"));
        let checkpoint = loaded.checkpoint.unwrap();
        let found = written.iter().position(|written| is_same(written, &checkpoint));
        let found = found.unwrap_or_else(|| panic!("{how}: what was loaded was never written"));
        assert!(verified.is_err() || found == 1, "{how}: the newer one is whole");
        // Loading reads no more than it has to: of the older one only the root.
        if at == 1 {
            assert_eq!(verified.is_ok(), found == 1, "{how}");
            assert_eq!(loaded.refused.len(), usize::from(found == 0), "{how}");
        }
        // Reading does not write.
        assert!(fs::read(&paths[at]).unwrap() == bytes, "{how}");
        *if verified.is_ok() { &mut harmless } else { &mut refused } += 1;
        if random.one_in(20) {
            // The next checkpoint makes it good.
            let mut checkpoints = checkpoints(directory.path());
            checkpoints.write(&written[1], &mut AtOnce).unwrap();
            checkpoints.write(&written[1], &mut AtOnce).unwrap();
            assert_eq!(checkpoints.trim_floor(), Some(written[1].start), "{how}");
            fs::write(&paths[1 - at], &whole[1 - at]).unwrap();
        }
        fs::write(&paths[at], &whole[at]).unwrap();
    }
    println!("refused {refused}, harmless {harmless}");
    // Much of a small file is free pages.
    assert!(refused > (refused + harmless) / 10, "refused {refused}, harmless {harmless}");
}

#[test]
fn a_single_file_is_loaded_or_refused_alone() {
    let mut random = Random::from_env("a_single_file_is_loaded_or_refused_alone");
    let (directory, _, [older, _]) = two();
    let [path, other] =
        Generation::BOTH.map(|generation| checkpoints(directory.path()).path(generation));
    fs::remove_file(other).unwrap();
    let whole = fs::read(&path).unwrap();
    for _ in 0..rounds(300) {
        let mut bytes = whole.clone();
        let how = damage(&mut random, &mut bytes);
        fs::write(&path, &bytes).unwrap();
        let loaded = match load(directory.path()) {
            Ok(loaded) => loaded,
            Err(error) => panic!("{how}: {error}"),
        };
        match loaded.checkpoint {
            Some(checkpoint) => assert!(is_same(&checkpoint, &older), "{how}"),
            None => assert_eq!(loaded.refused[0].path, path, "{how}"),
        }
    }
}

#[test]
fn the_one_that_was_refused_is_written_next() {
    let (directory, app, [older, _]) = two();
    let mut checkpoints = checkpoints(directory.path());
    // Its root can be read, and it is the newer one: only reading all of it tells.
    let path = checkpoints.path(Generation::B);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(8).position(|bytes| bytes == b"00000333").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let loaded = checkpoints.load(&mut |_, _| {}).unwrap();
    assert!(is_same(&loaded.checkpoint.unwrap(), &older));
    assert!(loaded.refused[0].reason.to_string().contains("the checksum is wrong"));
    let written = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
    assert_eq!((written.generation, written.chunks_kept), (Generation::B, 0));
    assert_eq!(checkpoints.trim_floor(), Some(older.start));
}

#[test]
fn if_neither_is_whole_both_are_named() {
    let (directory, ..) = two();
    for generation in Generation::BOTH {
        let path = checkpoints(directory.path()).path(generation);
        let length = fs::metadata(&path).unwrap().len();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    }
    let error = load(directory.path()).unwrap_err();
    assert!(matches!(&error, Error::NoneWhole { refused } if refused.len() == 2), "{error}");
    let text = error.to_string();
    assert!(text.contains("state.a.redb") && text.contains("state.b.redb"), "{text}");
}

#[test]
fn either_may_be_gone() {
    for generation in Generation::BOTH {
        let (directory, app, written) = two();
        let mut checkpoints = checkpoints(directory.path());
        fs::remove_file(checkpoints.path(generation)).unwrap();
        let loaded = load(directory.path()).unwrap();
        let left = usize::from(generation == Generation::A);
        assert!(is_same(&loaded.checkpoint.unwrap(), &written[left]));
        assert_eq!((loaded.other, loaded.refused.len()), (None, 0));
        let again = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
        assert_eq!(again.generation, generation);
    }
}

#[test]
fn chunks_may_not_be_missing_swapped_or_left_over() {
    use redb::ReadableTable;

    use crate::checkpoint::file::{CHUNKS, META, ROOT};
    use crate::pages::Pages;

    type Change<'a> = dyn Fn(&redb::WriteTransaction) -> Result<(), redb::Error> + 'a;
    fn refuses(what: &str, change: &Change<'_>) {
        let (directory, _, [older, _]) = two();
        let path = checkpoints(directory.path()).path(Generation::B);
        let pages = Pages::open(&Files, &path, 1 << 20).unwrap();
        pages.write("change", change).unwrap();
        pages.close(&Files).unwrap();
        let loaded = load(directory.path()).unwrap();
        assert!(is_same(&loaded.checkpoint.unwrap(), &older));
        let reason = loaded.refused[0].reason.to_string();
        assert!(reason.contains("state.b.redb") && reason.contains(what), "{reason}");
    }
    let get = |transaction: &redb::WriteTransaction, id: u64| -> Result<Vec<u8>, redb::Error> {
        Ok(transaction.open_table(CHUNKS)?.get(id)?.unwrap().value().to_vec())
    };
    refuses("chunk 1: it is not the one", &|transaction| {
        let (one, two) = (get(transaction, 1)?, get(transaction, 2)?);
        let mut chunks = transaction.open_table(CHUNKS)?;
        chunks.insert(1, two.as_slice())?;
        chunks.insert(2, one.as_slice())?;
        Ok(())
    });
    refuses("chunks that no manifest names", &|transaction| {
        let one = get(transaction, 1)?;
        transaction.open_table(CHUNKS)?.insert(1_000, one.as_slice())?;
        Ok(())
    });
    refuses("chunk 1 is missing", &|transaction| {
        let mut chunks = transaction.open_table(CHUNKS)?;
        let one = chunks.remove(1)?.unwrap().value().to_vec();
        chunks.insert(1_000, one.as_slice())?;
        Ok(())
    });
    refuses("the manifest of table movies is missing", &|transaction| {
        let mut meta = transaction.open_table(META)?;
        let manifest = meta.remove("table movies")?.unwrap().value().to_vec();
        meta.insert("table other", manifest.as_slice())?;
        Ok(())
    });
    refuses("the manifest of table movies is not the one", &|transaction| {
        let mut meta = transaction.open_table(META)?;
        let manifest = meta.get("table accounts")?.unwrap().value().to_vec();
        meta.insert("table movies", manifest.as_slice())?;
        Ok(())
    });
    refuses("manifests that the root does not name", &|transaction| {
        transaction.open_table(META)?.insert("table other", [1_u8].as_slice())?;
        Ok(())
    });
    refuses("it has no root", &|transaction| {
        transaction.open_table(META)?.remove(ROOT)?;
        Ok(())
    });
    for (key, what) in [(ROOT, "root"), ("table accounts", "manifest of table accounts")] {
        refuses(&format!("{what}: the checksum is wrong"), &|transaction| {
            let mut meta = transaction.open_table(META)?;
            let mut bytes = meta.get(key)?.unwrap().value().to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            meta.insert(key, bytes.as_slice())?;
            Ok(())
        });
        refuses("format version 2 is unknown", &|transaction| {
            let mut meta = transaction.open_table(META)?;
            let mut bytes = meta.get(key)?.unwrap().value().to_vec();
            bytes[0] = 2;
            meta.insert(key, bytes.as_slice())?;
            Ok(())
        });
    }
    refuses("format version 513 is unknown", &|transaction| {
        let mut one = get(transaction, 1)?;
        one[1] = 2;
        transaction.open_table(CHUNKS)?.insert(1, one.as_slice())?;
        Ok(())
    });
}
