//! What goes in comes out, whole, once, in order; and what is not so is refused.

use std::ops::ControlFlow;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::disk::{Files, How};

const HISTORY: History = History(Uuid::from_u128(7));

fn open(directory: &Path) -> Archive {
    Archive::open(Arc::new(Files), directory, HISTORY).expect("it opens")
}

fn event(position: u64) -> Archived {
    let body = Body {
        subject: position.is_multiple_of(2).then(|| format!("order/{position}").into()),
        data: format!("{{\"n\":{position},\"marker\":\"m{position}\"}}").into(),
        correlation_id: format!("correlation {position}").into(),
        causation_id: position.is_multiple_of(3).then(|| "cause".into()),
    };
    Archived {
        position: Position(position),
        id: Uuid::from_u128(position.into()),
        event_type: "order.placed".into(),
        // Two events to an entry.
        sequence: Sequence(10 + position.div_ceil(2)),
        time_ms: 1000 + position,
        command_id: Uuid::from_u128(u128::from(position) << 64),
        module: Some("shop".parse().expect("a name")),
        module_hash: (position != 3).then(|| Hash::of(b"module")),
        depth: u32::from(position == 4),
        body: (position != 5).then_some(body),
    }
}

fn events(positions: impl IntoIterator<Item = u64>) -> Vec<Archived> {
    positions.into_iter().map(event).collect()
}

fn all(archive: &Archive) -> Vec<Archived> {
    archive.scan(Position(0)).collect::<Result<_, _>>().expect("readable")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    Files.list(directory).expect("listed")
}

#[test]
fn what_was_added_is_there_whole_and_in_order() {
    let directory = TempDir::new().expect("a directory");
    let archive = open(directory.path());
    assert_eq!((archive.first(), archive.last().unwrap()), (Position(1), Position(0)));
    archive.append(&events(1..=6)).unwrap();
    archive.append(&events(7..=7)).unwrap();
    archive.append(&[]).unwrap();
    // Half of it is there already, as after a crash.
    archive.append(&events(5..=12)).unwrap();
    for archive in [archive, open(directory.path())] {
        assert_eq!(all(&archive), events(1..=12));
        assert_eq!((archive.first(), archive.last().unwrap()), (Position(1), Position(12)));
        assert_eq!(archive.event(Position(7)).unwrap(), Some(event(7)));
        assert_eq!(archive.event(Position(13)).unwrap(), None);
        assert_eq!(
            archive.scan(Position(6)).map(Result::unwrap).collect::<Vec<_>>(),
            events(6..=12)
        );
        assert!(archive.check_all(&mut || true).is_empty());
    }
    assert_eq!(files(directory.path()).len(), 3);
}

#[test]
fn a_gap_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let archive = open(directory.path());
    archive.append(&events(1..=3)).unwrap();
    let error = archive.append(&events(5..=6)).unwrap_err();
    assert!(matches!(error, Error::NotNext { expected: Position(4), found: Position(5) }));
    drop(archive);
    let archive = open(directory.path());
    assert_eq!(all(&archive), events(1..=3));
    assert_eq!(files(directory.path()).len(), 1, "no draft is left");
}

#[test]
fn what_is_erased_is_in_no_file_and_the_rest_stays() {
    let directory = TempDir::new().expect("a directory");
    let archive = open(directory.path());
    archive.append(&events(1..=6)).unwrap();
    archive.append(&events(7..=12)).unwrap();
    // Entry 12 emitted events 3 and 4, entry 14 7 and 8.
    let which = [Sequence(12), Sequence(14), Sequence(99)].into();
    assert_eq!(archive.erase(&which).unwrap(), 4);
    assert_eq!(archive.erase(&which).unwrap(), 0, "nothing is left to erase");
    let mut expected = events(1..=12);
    for at in [2, 3, 6, 7] {
        expected[at].body = None;
    }
    archive.append(&events(13..=14)).unwrap();
    expected.extend(events(13..=14));
    for archive in [archive, open(directory.path())] {
        assert_eq!(all(&archive), expected);
        assert!(archive.check_all(&mut || true).is_empty());
    }
    for path in files(directory.path()) {
        let bytes = std::fs::read(path).unwrap();
        for gone in ["\"m3\"", "\"m4\"", "\"m7\"", "\"m8\""] {
            assert!(!bytes.windows(gone.len()).any(|found| found == gone.as_bytes()), "{gone}");
        }
    }
}

#[test]
fn old_files_go_and_the_newest_stays() {
    let directory = TempDir::new().expect("a directory");
    let archive = open(directory.path());
    archive.append(&events(1..=4)).unwrap();
    archive.append(&events(5..=8)).unwrap();
    assert_eq!(archive.forget_below(1004).unwrap().len(), 0);
    assert_eq!(archive.forget_below(1005).unwrap().len(), 1);
    assert_eq!(archive.forget_below(u64::MAX).unwrap().len(), 0);
    let archive = open(directory.path());
    assert_eq!(archive.first(), Position(5));
    assert_eq!(all(&archive), events(5..=8));
    archive.append(&events(9..=9)).unwrap();
    assert!(archive.check_all(&mut || true).is_empty());
}

#[test]
fn i11_every_flipped_byte_is_noticed_and_no_wrong_event_is_given() {
    let directory = TempDir::new().expect("a directory");
    let archive = open(directory.path());
    archive.append(&events(1..=4)).unwrap();
    archive.append(&events(5..=8)).unwrap();
    let path = files(directory.path()).remove(0);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let archive = open(directory.path());
        let found = archive.check_all(&mut || true);
        // What is zero between two checksums means nothing, and is not looked at.
        let is_padding = (76..80).contains(&at) || at >= whole.len() - 4;
        assert!(!found.is_empty() || is_padding, "byte {at}");
        for event in archive.scan(Position(1)).map_while(Result::ok) {
            assert_eq!(event, self::event(event.position.0), "byte {at}");
        }
        assert_eq!(archive.event(Position(6)).unwrap(), Some(event(6)), "byte {at}");
    }
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let archive = open(directory.path());
    assert!(archive.event(Position(2)).is_err());
    assert_eq!(archive.last().unwrap(), Position(8));
}

#[test]
fn nothing_is_added_behind_a_file_whose_end_is_unknown() {
    let directory = TempDir::new().expect("a directory");
    open(directory.path()).append(&events(1..=4)).unwrap();
    let path = files(directory.path()).remove(0);
    let file = Files.open(&path, How::Write).unwrap();
    file.set_len(100).unwrap();
    let archive = open(directory.path());
    assert!(archive.last().is_err());
    assert!(archive.append(&events(5..=6)).is_err());
    assert_eq!(archive.check_all(&mut || true).len(), 1);
}

/// A disk whose steps end at some point, as at the death of the process.
#[derive(Debug)]
struct Ending {
    left: std::sync::atomic::AtomicI64,
}

impl Ending {
    fn step(&self) -> io::Result<()> {
        let left = self.left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        if left > 0 { Ok(()) } else { Err(io::Error::other("the end")) }
    }

    fn go_on(&self) -> ControlFlow<()> {
        let left = self.left.load(std::sync::atomic::Ordering::SeqCst);
        if left >= 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[derive(Debug)]
struct EndingFile(Arc<Ending>, Arc<dyn disk::File>);

impl disk::File for EndingFile {
    fn len(&self) -> io::Result<u64> {
        self.1.len()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.1.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.step()?;
        self.1.write_at(offset, bytes)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.step()?;
        self.1.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.step()?;
        self.1.sync()
    }
}

#[derive(Debug)]
struct EndingDisk(Arc<Ending>);

impl Disk for EndingDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn disk::File>> {
        if !matches!(how, How::Read) {
            self.0.step()?;
        }
        Ok(Arc::new(EndingFile(Arc::clone(&self.0), Files.open(path, how)?)))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Files.list(directory)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Files.exists(path)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.step()?;
        Files.create_directory(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.step()?;
        Files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.step()?;
        Files.remove(path)
    }

    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.step()?;
        Files.remove_directory(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.step()?;
        Files.sync_directory(directory)
    }

    fn space(&self, directory: &Path) -> io::Result<disk::Space> {
        Files.space(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<disk::Lock> {
        Files.lock(path)
    }
}

#[test]
fn a_stop_at_any_step_loses_no_event_and_doubles_none() {
    let mut n_stops = 0;
    for steps in 0.. {
        let directory = TempDir::new().expect("a directory");
        open(directory.path()).append(&events(1..=4)).unwrap();
        let ending = Arc::new(Ending { left: steps.into() });
        let disk = Arc::new(EndingDisk(Arc::clone(&ending)));
        let ended = Archive::open(disk, directory.path(), HISTORY).and_then(|archive| {
            archive.append(&events(5..=8))?;
            archive.erase(&[Sequence(11)].into())?;
            archive.append(&events(9..=10))?;
            archive.forget_below(1005).map(drop)
        });
        let is_over = ended.is_ok() && ending.go_on().is_continue();
        // After it, the same again, as the keeper does it.
        let archive = open(directory.path());
        let there = all(&archive);
        let first = there.first().map_or(1, |event| event.position.0);
        assert!(first == 1 || there.len() == 6, "{steps}");
        assert!(archive.check_all(&mut || true).is_empty(), "{steps}");
        archive.append(&events(1..=8)).unwrap();
        archive.append(&events(5..=10)).unwrap();
        archive.erase(&[Sequence(11)].into()).unwrap();
        let mut expected = events(first..=10);
        expected.iter_mut().filter(|event| event.sequence == Sequence(11)).for_each(|event| {
            event.body = None;
        });
        assert_eq!(all(&archive), expected, "{steps}");
        assert!(archive.check_all(&mut || true).is_empty(), "{steps}");
        if is_over {
            break;
        }
        n_stops += 1;
    }
    assert!(n_stops > 15, "{n_stops}");
}

#[test]
fn files_of_version_1_are_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/archive-v1");
    let directory = TempDir::new().expect("a directory");
    let archive = open(directory.path());
    archive.append(&events(1..=6)).unwrap();
    archive.erase(&[Sequence(12)].into()).unwrap();
    archive.append(&events(7..=8)).unwrap();
    if std::env::var_os("CHANCERY_GOLDEN").is_some() {
        std::fs::create_dir_all(&golden).unwrap();
        for path in files(directory.path()) {
            std::fs::copy(&path, golden.join(path.file_name().unwrap())).unwrap();
        }
    }
    let copy = TempDir::new().expect("a directory");
    let names = files(&golden).into_iter();
    for path in names.filter(|path| path.extension().is_some_and(|name| name == "events")) {
        let name = path.file_name().unwrap();
        // Writing has not changed either.
        assert_eq!(
            std::fs::read(&path).unwrap(),
            std::fs::read(directory.path().join(name)).unwrap()
        );
        std::fs::copy(&path, copy.path().join(name)).unwrap();
    }
    let read = open(copy.path());
    assert_eq!(all(&read), all(&archive));
    assert_eq!(all(&read).len(), 8);
    assert!(read.check_all(&mut || true).is_empty());
}
