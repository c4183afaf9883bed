//! Writing that is cut off, refused by the disk, or given up: what was there before
//! is there still.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::disk::{File, How, Lock, Space};

/// The machine's disk, which counts what would change it, fails one of these or every
/// read if told to, and takes pictures of a directory.
#[derive(Debug, Default)]
struct Watched {
    steps: AtomicU64,
    /// The step that fails, from 1.
    fails: AtomicU64,
    fails_reads: AtomicBool,
    /// What to take pictures of, and those taken: one before each step.
    taken: Mutex<Option<(PathBuf, Vec<TempDir>)>>,
}

#[derive(Debug)]
struct WatchedFile {
    file: Arc<dyn File>,
    disk: Arc<Watched>,
}

/// [`Watched`], as files need it.
#[derive(Debug, Clone)]
struct WatchedDisk(Arc<Watched>);

impl Watched {
    fn step(&self) -> io::Result<()> {
        if let Some((directory, pictures)) = &mut *self.taken.lock().unwrap() {
            pictures.push(copy_of(directory));
        }
        let step = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        if step == self.fails.load(Ordering::SeqCst) {
            Err(io::Error::other("told to"))
        } else {
            Ok(())
        }
    }
}

fn copy_of(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

impl Disk for WatchedDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn File>> {
        if how == How::Create {
            self.0.step()?;
        }
        let file = Files.open(path, how)?;
        Ok(Arc::new(WatchedFile { file, disk: Arc::clone(&self.0) }))
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Files.list(directory)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        Files.exists(path)
    }
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
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
        Files.remove_directory(directory)
    }
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.step()?;
        Files.sync_directory(directory)
    }
    fn space(&self, directory: &Path) -> io::Result<Space> {
        Files.space(directory)
    }
    fn lock(&self, path: &Path) -> io::Result<Lock> {
        Files.lock(path)
    }
}

impl File for WatchedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if self.disk.fails_reads.load(Ordering::SeqCst) {
            return Err(io::Error::other("told to"));
        }
        self.file.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.step()?;
        self.file.write_at(offset, bytes)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.disk.step()?;
        self.file.set_len(bytes)
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.step()?;
        self.file.sync()
    }
}

fn watched(directory: &Path) -> (Checkpoints, Arc<Watched>) {
    let disk = Arc::new(Watched::default());
    let checkpoints = Checkpoints::new(Arc::new(WatchedDisk(Arc::clone(&disk))), directory.into());
    (checkpoints, disk)
}

/// Whether what can be loaded is one of these.
fn loads_one_of(directory: &Path, written: &[&Checkpoint]) -> bool {
    let loaded = load(directory).unwrap().checkpoint.unwrap();
    written.iter().any(|written| is_same(written, &loaded))
}

#[test]
fn cut_off_anywhere_there_is_the_one_before_or_the_one_after() {
    let (directory, mut app, [older, newer]) = two();
    let (mut checkpoints, disk) = watched(directory.path());
    app.put("accounts", numbered([500, 5_000]));
    // An update of A, and then a new B.
    let third = app.checkpoint();
    app.put("accounts", numbered(0..900));
    let fourth = app.checkpoint();
    for (checkpoint, before) in [(&third, [&older, &newer]), (&fourth, [&newer, &third])] {
        *disk.taken.lock().unwrap() = Some((directory.path().into(), Vec::new()));
        let written = checkpoints.write(checkpoint, &mut AtOnce).unwrap();
        let (_, pictures) = disk.taken.lock().unwrap().take().unwrap();
        assert!(pictures.len() > 5, "{} pictures", pictures.len());
        for picture in &pictures {
            assert!(loads_one_of(picture.path(), &[before[1], checkpoint]));
            // Without the other one, the file that was cut off has to do: it is
            // repaired, and holds what it held, or what it was to hold.
            let other = self::checkpoints(picture.path()).path(written.generation.other());
            std::fs::remove_file(other).unwrap();
            assert!(loads_one_of(picture.path(), &[before[0], checkpoint]));
            // And the next checkpoint is none the worse for it.
            let mut checkpoints = self::checkpoints(picture.path());
            for _ in Generation::BOTH {
                checkpoints.write(&fourth, &mut AtOnce).unwrap();
                assert!(loads_one_of(picture.path(), &[&fourth]));
            }
        }
    }
}

#[test]
fn whatever_step_fails_nothing_is_lost_and_the_next_try_succeeds() {
    let (source, mut app, [_, newer]) = two();
    app.put("accounts", numbered([500, 5_000]));
    let small = app.checkpoint();
    app.put("accounts", numbered(0..900));
    let large = app.checkpoint();
    for checkpoint in [&small, &large] {
        for fails in 1.. {
            let directory = copy_of(source.path());
            let (mut checkpoints, disk) = watched(directory.path());
            disk.fails.store(fails, Ordering::SeqCst);
            let written = checkpoints.write(checkpoint, &mut AtOnce);
            let floor = checkpoints.trim_floor();
            drop(checkpoints);
            let loaded = load(directory.path()).unwrap().checkpoint.unwrap();
            match written {
                Ok(_) => assert!(is_same(&loaded, checkpoint), "step {fails}"),
                Err(Error::Failed { .. }) => {
                    let known = [&newer, checkpoint];
                    assert!(known.iter().any(|known| is_same(known, &loaded)), "step {fails}");
                    assert_eq!(floor, None);
                }
                Err(error) => panic!("step {fails}: {error}"),
            }
            let mut checkpoints = self::checkpoints(directory.path());
            checkpoints.write(checkpoint, &mut AtOnce).unwrap();
            assert!(loads_one_of(directory.path(), &[checkpoint]));
            if disk.steps.load(Ordering::SeqCst) < fails {
                assert!(fails > 5);
                break;
            }
        }
    }
}

#[test]
fn a_disk_that_cannot_be_read_says_nothing_about_the_files() {
    let (directory, app, _) = two();
    let (mut checkpoints, disk) = watched(directory.path());
    disk.fails_reads.store(true, Ordering::SeqCst);
    let failed = |error: Error| assert!(matches!(error, Error::Failed { .. }), "{error}");
    failed(checkpoints.load(&mut |_, _| {}).unwrap_err());
    failed(checkpoints.verify(Generation::A, &mut |_, _| {}).unwrap_err());
    failed(checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap_err());
    disk.fails_reads.store(false, Ordering::SeqCst);
    assert!(checkpoints.load(&mut |_, _| {}).unwrap().refused.is_empty());
}

/// Gives up when it is asked for the n-th time.
#[derive(Debug)]
struct GivesUp(usize);

impl Pace for GivesUp {
    fn pause(&mut self) -> ControlFlow<()> {
        self.0 -= 1;
        if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn given_up_the_file_is_as_it_was() {
    let (source, mut app, [older, newer]) = two();
    for rows in [1, 900] {
        app.put("accounts", numbered(0..rows));
        for pauses in 1.. {
            let directory = copy_of(source.path());
            let mut checkpoints = checkpoints(directory.path());
            let newer_file = std::fs::read(checkpoints.path(Generation::B)).unwrap();
            match checkpoints.write(&app.checkpoint(), &mut GivesUp(pauses)) {
                Err(Error::Stopped) => {}
                Err(error) => panic!("{error}"),
                Ok(_) => break,
            }
            assert_eq!(checkpoints.trim_floor(), None);
            assert!(std::fs::read(checkpoints.path(Generation::B)).unwrap() == newer_file);
            // Unless only the reading back was given up.
            let left = checkpoints.verify(Generation::A, &mut |_, _| {}).unwrap().start;
            assert!(left == older.start || left == app.checkpoint().start);
            assert!(loads_one_of(directory.path(), &[&newer, &app.checkpoint()]));
        }
    }
}

#[test]
fn what_was_written_and_not_read_back_is_written_again() {
    let (source, mut app, _) = two();
    app.put("accounts", numbered([500]));
    let directory = copy_of(source.path());
    let mut checkpoints = checkpoints(directory.path());
    checkpoints.load(&mut |_, _| {}).unwrap();
    // Enough for the chunk that changed, not for those that are read back.
    checkpoints.write(&app.checkpoint(), &mut GivesUp(2)).unwrap_err();
    app.put("accounts", numbered([501]));
    for generation in [Generation::A, Generation::B, Generation::A] {
        let written = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
        assert_eq!(written.generation, generation);
    }
}

#[test]
fn an_unhurried_pace_rests_and_can_be_told_to_stop() {
    let (clock, hands) = Clock::manual(0);
    let stop = Arc::new(AtomicBool::new(false));
    let mut pace = Unhurried::new(clock, 100, Arc::clone(&stop));
    hands.advance(Duration::from_millis(3));
    assert_eq!(pace.pause(), ControlFlow::Continue(()));
    stop.store(true, Ordering::SeqCst);
    assert_eq!(pace.pause(), ControlFlow::Break(()));
}
